package config

import (
	"fmt"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// An index knows where each key of a TOML text stands; the decoder does not say.
// A key is found under its path: `service[1].auth.basic.user`, with a number for
// every element of an array, be it [[service]] or inline, and the parts of a
// quoted key as they are.
//
// The text has been decoded already, so what is scanned here is valid TOML, and
// the scanner need not judge it. It ends on any text.
type index struct {
	at map[string]position
}

// position is the line of a key, from 1, and its turn among all keys.
type position struct{ line, turn int }

// newIndex scans a TOML text.
func newIndex(text string) *index {
	s := &scanner{text: text, line: 1, index: &index{at: map[string]position{}}, tables: map[string]int{}}
	s.document()
	return s.index
}

// has reports whether the text gives the key, or a key below it.
func (x *index) has(path string) bool {
	_, ok := x.at[path]
	return ok
}

// line returns the line of the key, or 0.
func (x *index) line(path string) int { return x.at[path].line }

// sort puts the keys of the table at path in the order of the text.
func (x *index) sort(path string, keys []string) {
	sort.Slice(keys, func(i, j int) bool {
		a, b := x.at[join(path, keys[i])], x.at[join(path, keys[j])]
		if a.turn != b.turn {
			return a.turn < b.turn
		}
		return keys[i] < keys[j]
	})
}

// add records a key, once.
func (x *index) add(path string, line int) {
	if !x.has(path) {
		x.at[path] = position{line, len(x.at) + 1}
	}
}

// A scanner walks over a TOML text and fills an index.
type scanner struct {
	text   string
	pos    int
	line   int
	index  *index
	tables map[string]int // how many [[tables]] there are under a path
}

// document scans headers and the keys below them.
func (s *scanner) document() {
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} { // byte order marks, which the decoder skips
		s.skip(mark)
	}
	table := ""
	for s.space(); s.more(); s.space() {
		start := s.pos
		if s.peek("[") {
			table = s.header()
		} else {
			s.pair(table)
		}
		if s.pos == start {
			s.next() // not TOML: go on anyhow
		}
	}
}

// header scans [a.b] or [[a.b]] and returns the path of the table.
func (s *scanner) header() string {
	line := s.line
	s.skip("[")
	array := s.skip("[")
	keys := s.key()
	for s.more() && !s.peek("\n") && s.skip("]") {
	}
	path := ""
	for i, key := range keys {
		path = join(path, key)
		s.index.add(path, line)
		if array && i == len(keys)-1 {
			s.tables[path]++
		}
		if n := s.tables[path]; n > 0 {
			path = element(path, n-1)
			s.index.add(path, line)
		}
	}
	return path
}

// pair scans key = value of the table at path.
func (s *scanner) pair(path string) {
	line := s.line
	for _, key := range s.key() {
		path = join(path, key)
		s.index.add(path, line)
	}
	s.blank()
	if s.skip("=") {
		s.space()
		s.value(path)
	}
}

// key scans a key and returns the parts between its dots.
func (s *scanner) key() []string {
	var parts []string
	for {
		s.blank()
		parts = append(parts, s.part())
		s.blank()
		if !s.skip(".") {
			return parts
		}
	}
}

// part scans one part of a key, bare or quoted.
func (s *scanner) part() string {
	start := s.pos
	if s.peek(`"`) || s.peek("'") {
		s.quoted()
		return unquote(s.text[start:s.pos])
	}
	for s.more() && !strings.ContainsRune(" \t\r\n.=[]{}#,\"'", rune(s.text[s.pos])) {
		s.pos++
	}
	return s.text[start:s.pos]
}

// value scans the value of the key at path, and the keys inside it.
func (s *scanner) value(path string) {
	switch {
	case s.peek(`"`), s.peek("'"):
		s.quoted()
	case s.skip("["):
		s.list("]", func(n int) {
			s.index.add(element(path, n), s.line)
			s.value(element(path, n))
		})
	case s.skip("{"):
		s.list("}", func(int) { s.pair(path) })
	default:
		for s.more() && !strings.ContainsRune("\n,]}#", rune(s.text[s.pos])) {
			s.pos++
		}
	}
}

// list scans what stands between commas up to the end mark.
func (s *scanner) list(end string, scan func(n int)) {
	for n := 0; ; n++ {
		s.space()
		if !s.more() || s.skip(end) {
			return
		}
		start := s.pos
		scan(n)
		s.space()
		if !s.skip(",") && s.pos == start {
			s.next()
		}
	}
}

// quoted scans a string of any of the four kinds.
func (s *scanner) quoted() {
	quote := s.text[s.pos : s.pos+1]
	if triple := strings.Repeat(quote, 3); s.skip(triple) {
		s.until(triple, quote == `"`)
		for range 2 { // a string may end in two quotes of its own
			s.skip(quote)
		}
		return
	}
	s.skip(quote)
	s.until(quote, quote == `"`)
}

// until goes behind the end mark, over escaped characters where there are any.
func (s *scanner) until(end string, escapes bool) {
	for s.more() && !s.skip(end) {
		if escapes && s.peek(`\`) {
			s.next()
		}
		s.next()
	}
}

// space goes over blanks, line ends and comments.
func (s *scanner) space() {
	for s.more() {
		switch s.text[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			for s.more() && !s.peek("\n") {
				s.pos++
			}
		default:
			return
		}
	}
}

// blank goes over blanks within a line.
func (s *scanner) blank() {
	for s.peek(" ") || s.peek("\t") {
		s.pos++
	}
}

func (s *scanner) more() bool { return s.pos < len(s.text) }

func (s *scanner) peek(mark string) bool { return strings.HasPrefix(s.text[s.pos:], mark) }

// skip goes over mark, which holds no line end, if it comes next.
func (s *scanner) skip(mark string) bool {
	if !s.peek(mark) {
		return false
	}
	s.pos += len(mark)
	return true
}

// next goes over one byte and counts lines.
func (s *scanner) next() {
	if s.more() {
		if s.text[s.pos] == '\n' {
			s.line++
		}
		s.pos++
	}
}

// element is the path of the n-th element of the array at path.
func element(path string, n int) string { return fmt.Sprintf("%s[%d]", path, n) }

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// unquote returns the text of a quoted part of a key.
func unquote(quoted string) string {
	var text struct{ Key string }
	if _, err := toml.Decode("key = "+quoted, &text); err != nil {
		return quoted
	}
	return text.Key
}
