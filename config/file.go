package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// A file is the text a Config is read from, and what was found in it.
type file struct {
	name     string
	dir      string // what relative paths are relative to
	values   map[string]any
	index    *index
	problems findings
	warnings findings
}

// findings are what was found in a file, once for each path.
type findings struct {
	all  []Problem
	seen map[string]bool // paths
}

// open reads and parses a file. The problem is nil when it is TOML.
func open(name string) (*file, *Problem) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, &Problem{File: name, Text: cause(err)}
	}
	return parse(name, string(text))
}

// parse parses the text of a file.
func parse(name, text string) (f *file, problem *Problem) {
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, &Problem{File: name, Text: err.Error()}
	}
	defer func() { // the decoder panics at its own bugs; a reload must survive them
		if bug := recover(); bug != nil {
			f, problem = nil, &Problem{File: name, Text: "the file cannot be parsed as TOML"}
		}
	}()
	f = &file{name: name, dir: dir, values: map[string]any{}}
	f.problems.seen, f.warnings.seen = map[string]bool{}, map[string]bool{}
	if _, err := toml.Decode(text, &f.values); err != nil {
		return nil, syntax(name, err)
	}
	f.index = newIndex(text)
	return f, nil
}

// syntax turns an error of the decoder into a problem.
func syntax(name string, err error) *Problem {
	var at toml.ParseError
	if !errors.As(err, &at) {
		return &Problem{File: name, Text: quotes.ReplaceAllStringFunc(err.Error(), masked)}
	}
	text := "not TOML: " + strings.TrimSuffix(at.Message, ".")
	if !strings.HasPrefix(at.Message, "Key '") {
		text = quotes.ReplaceAllStringFunc(text, masked)
	}
	switch {
	case strings.HasPrefix(at.Message, "expected value but found"):
		text = strings.Replace(text, "found … instead", "found something else", 1)
		if bare := booleanWord.FindString(at.Message); bare != "" {
			text += ": true or false, without quotes"
		} else {
			text += ": a text stands in quotes"
		}
	case strings.HasPrefix(at.Message, "expected a top-level item to end"):
		text += ": a text with quotes in it stands between ''' and '''"
	case strings.HasPrefix(at.Message, "strings cannot contain newlines"):
		text += ": a quote is not closed"
	}
	if at.LastKey != "" {
		text += fmt.Sprintf(" (last key: %s)", at.LastKey)
	}
	return &Problem{File: name, Line: at.Position.Line, Text: text}
}

// booleanWord is what is no boolean of TOML.
var booleanWord = regexp.MustCompile(`"(?i:yes|no|on|off|true|false)"`)

// quotes finds what the decoder quotes of the file, and numbers.
var quotes = regexp.MustCompile(`"[^"]*"|'(?:\\.|[^'])'|'[^']*'|[0-9][0-9_.+-]{3,}`)

// masked leaves out what the decoder quotes, characters aside: it may be a part
// of a secret.
func masked(quoted string) string {
	if shown := len(`"abc"`); len(quoted) <= shown && quoted[0] < '0' {
		return quoted
	}
	return "…"
}

// cause returns what the system says, without the operation and the path.
func cause(err error) string {
	if perr := (*os.PathError)(nil); errors.As(err, &perr) {
		return perr.Err.Error()
	}
	return err.Error()
}

// report notes a problem with a key of the table at at. A key has one problem:
// the first. What a service has from [defaults] is a problem of [defaults].
func (f *file) report(at place, key, format string, args ...any) {
	f.note(&f.problems, at, join(at.key, key), fmt.Sprintf(format, args...))
}

// warn notes a warning about a key, by the same rules.
func (f *file) warn(at place, key, format string, args ...any) {
	f.note(&f.warnings, at, join(at.key, key), fmt.Sprintf(format, args...))
}

func (f *file) note(found *findings, at place, key, text string) {
	owner, line := f.find(at, key)
	path := join(owner.path, key)
	if found.seen[path] {
		return
	}
	found.seen[path] = true
	if at.key != "" {
		text = numbered(at.key+".") + text
	}
	if owner.item != "" {
		text = owner.item + ": " + text
	}
	found.all = append(found.all, Problem{File: f.name, Line: line, Text: text})
}

// numbered writes a key as problems do: keys[0].id is "keys 1: id".
func numbered(key string) string {
	return elements.ReplaceAllStringFunc(key, func(n string) string {
		i, _ := strconv.Atoi(strings.Trim(n, "[]."))
		if strings.HasSuffix(n, ".") {
			return fmt.Sprintf(" %d: ", i+1)
		}
		return fmt.Sprintf(" %d", i+1)
	})
}

var elements = regexp.MustCompile(`\[[0-9]+\]\.?`)

// find returns the table that gives the key, which is [defaults] for what a
// service has from there, and the line of the key, or of what is nearest to it.
func (f *file) find(at place, key string) (place, int) {
	inherits := f.inherits(at, key)
	for part := key; part != ""; part = parent(part) {
		if line := f.index.line(join(at.path, part)); line > 0 {
			return at, line
		}
		if line := f.index.line(join("defaults", part)); line > 0 && inherits {
			return place{item: "defaults", path: "defaults", key: at.key}, line
		}
	}
	return at, f.index.line(at.path)
}

// inherits reports whether a table may have the key from [defaults].
func (f *file) inherits(at place, key string) bool {
	top := key
	if i := strings.IndexAny(key, ".["); i > 0 {
		top = key[:i]
	}
	merged := top == "breaker" || top == "tls" || top == "soap"
	return strings.HasPrefix(at.path, "service[") && (merged || !f.index.has(join(at.path, top)))
}

// given reports whether the file itself gives the key.
func (f *file) given(at place, key string) bool {
	return f.index.has(join(at.path, join(at.key, key)))
}

// parent returns the key of the table that holds a key, or the array that holds
// an element.
func parent(key string) string {
	return key[:max(0, strings.LastIndexAny(key, ".["))]
}
