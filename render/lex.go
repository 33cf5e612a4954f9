package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a literal or a tag of a template, before its place is known.
type token struct {
	text    string // a literal's text, or the tag as written
	name    string // the tag's name; empty for a literal
	filters []call
	offset  int // in the text that was lexed
}

// call is a filter as written.
type call struct {
	name, arg string
	hasArg    bool
	offset    int
}

// lex splits text into literals and tags. A number sign that starts no tag is
// part of a literal, and so is the first of two in a row.
func lex(text string) []token {
	var tokens []token
	var literal strings.Builder
	start := 0
	flush := func() {
		if literal.Len() > 0 {
			tokens = append(tokens, token{text: literal.String(), offset: start})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); {
		if text[i] != '#' {
			n := len(text) - i
			if next := strings.IndexByte(text[i:], '#'); next >= 0 {
				n = next
			}
			literal.WriteString(text[i : i+n])
			i += n
			continue
		}
		if strings.HasPrefix(text[i:], "##") {
			literal.WriteByte('#')
			i += 2
			continue
		}
		tag, ok := lexTag(text, i)
		if !ok {
			literal.WriteByte('#')
			i++
			continue
		}
		flush()
		tokens = append(tokens, tag)
		i += len(tag.text)
		start = i
	}
	flush()
	return tokens
}

// lexTag reads the tag that starts at text[i], a number sign.
func lexTag(text string, i int) (token, bool) {
	end := strings.IndexAny(text[i+1:], "#\n")
	if end < 0 || text[i+1+end] != '#' {
		return token{}, false
	}
	inner := text[i+1 : i+1+end]
	name, rest, filtered := strings.Cut(inner, "|")
	if !validName(name) {
		return token{}, false
	}
	tag := token{text: text[i : i+end+2], name: name, offset: i}
	at := i + 1 + len(name) + 1
	for filtered {
		var word string
		word, rest, filtered = strings.Cut(rest, "|")
		filter := call{offset: at}
		filter.name, filter.arg, filter.hasArg = strings.Cut(word, ":")
		tag.filters = append(tag.filters, filter)
		at += len(word) + 1
	}
	return tag, true
}

// validName tells whether s can be the name of a tag: letters, digits, _ and -,
// in parts joined by single dots.
func validName(s string) bool {
	after := '.' // what came before: a dot must be followed by something else
	for _, r := range s {
		ok := r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' && after != '.'
		if !ok || r == utf8.RuneError {
			return false
		}
		after = r
	}
	return after != '.'
}

// position says where in text an offset is, as line:column, both from 1, columns in
// characters.
func position(text string, offset int) string {
	before := text[:min(offset, len(text))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("%d:%d", line, column)
}
