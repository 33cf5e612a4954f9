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
	filters []invocation
	offset  int // of a tag, in the text that was lexed
}

// invocation is a filter as written.
type invocation struct {
	name, arg string
	hasArg    bool
	offset    int
}

func (t token) tag() bool { return t.name != "" }

// lex splits text into literals and tags. A number sign that starts no tag is
// part of a literal, and so is the first of two in a row.
func lex(text string) []token {
	var tokens []token
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			tokens = append(tokens, token{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(text); {
		if n := strings.IndexByte(text[i:], '#'); n != 0 {
			if n < 0 {
				n = len(text) - i
			}
			literal.WriteString(text[i : i+n])
			i += n
			continue
		}
		if t, ok := lexTag(text, i); ok {
			flush()
			tokens = append(tokens, t)
			i += len(t.text)
			continue
		}
		literal.WriteByte('#')
		i++
		if strings.HasPrefix(text[i:], "#") {
			i++
		}
	}
	flush()
	return tokens
}

// Unclosed returns the words that stand behind a number sign which starts no tag,
// nor is written twice: it may be meant to.
func Unclosed(text string) []string {
	var words []string
	for i := strings.IndexByte(text, '#'); i >= 0 && i < len(text); {
		length := 1
		if t, ok := lexTag(text, i); ok {
			length = len(t.text)
		} else if strings.HasPrefix(text[i+1:], "#") {
			length = 2
		} else if end := strings.IndexFunc(text[i+1:]+" ", func(r rune) bool { return !validName(string(r)) }); end > 0 {
			words = append(words, text[i+1:i+1+end])
		}
		next := strings.IndexByte(text[i+length:], '#')
		if next < 0 {
			break
		}
		i += length + next
	}
	return words
}

// lexTag reads the tag that starts at text[i], a number sign.
func lexTag(text string, i int) (token, bool) {
	length := strings.IndexAny(text[i+1:], "#\n")
	if length < 0 || text[i+1+length] != '#' {
		return token{}, false
	}
	name, rest, filtered := strings.Cut(text[i+1:i+1+length], "|")
	if !validName(name) {
		return token{}, false
	}
	t := token{text: text[i : i+length+2], name: name, offset: i}
	at := i + len("#") + len(name) + len("|")
	for filtered {
		var word string
		word, rest, filtered = strings.Cut(rest, "|")
		f := invocation{offset: at}
		f.name, f.arg, f.hasArg = strings.Cut(word, ":")
		t.filters = append(t.filters, f)
		at += len(word) + len("|")
	}
	return t, true
}

// validName reports whether s can be the name of a tag: parts joined by dots, each
// of letters, digits, _ and, not in front, -.
func validName(s string) bool {
	front := true
	for _, r := range s {
		switch {
		case r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			front = false
		case r == '-' && !front:
		case r == '.' && !front:
			front = true
		default:
			return false
		}
	}
	return !front
}

// position says where in text an offset is, as line:column, both from 1, columns
// in characters.
func position(text string, offset int) string {
	before := text[:min(offset, len(text))]
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return fmt.Sprintf("%d:%d", line, column)
}
