package render

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// compiler turns the templates of a [Spec] into sequences and collects what is
// wrong with them.
type compiler struct {
	Spec
	problems []Problem
	warnings []Problem
	carries  string // the template that a file stands in; empty: none
	inBody   bool   // what is compiled goes into the body
	signs    bool   // a tag stands for the body
	tags     []Tag
}

// problem reports a mistake in a template as a whole.
func (c *compiler) problem(key, format string, args ...any) {
	c.problems = append(c.problems, Problem{Key: key, Text: fmt.Sprintf(format, args...)})
}

// name refuses tags in a field's name, which is sent as it is.
func (c *compiler) name(key, name string) {
	for _, t := range lex(name) {
		if t.tag() {
			c.problem(key, "%s: a tag cannot stand in a name", t.text)
		}
	}
}

// source is a template being compiled: problems name its key and the place in it.
type source struct {
	*compiler
	key  string
	text string
}

func (c *compiler) source(key, text string) source { return source{c, key, text} }

// site says how a stretch of a template is compiled.
type site struct {
	place    place                   // of its tags
	literal  func(s string) string   // makes of literals what is sent; nil: they are sent as written
	unescape func(arg string) string // reads the arguments of filters; nil: they mean what they say
	whole    bool                    // the stretch is all of what may be left out
}

// problemAt reports a mistake at an offset of the template.
func (s source) problemAt(offset int, format string, args ...any) {
	s.problem(s.key, "%s: %s", position(s.text, offset), fmt.Sprintf(format, args...))
}

// all compiles the whole template.
func (s source) all(at site) sequence { return s.part(0, len(s.text), at) }

// part compiles the template from one offset to another.
func (s source) part(start, end int, at site) sequence {
	var seq sequence
	tokens := lex(s.text[start:end])
	s.inner(tokens, start, at)
	for _, t := range tokens {
		switch {
		case t.tag():
			tag := s.tag(t, start, at)
			if tag.omits && (!at.whole || len(tokens) > 1) {
				s.problemAt(start+t.offset, "%s: %v", t.text, errOmit)
			}
			if tag.typed && t.name != "" && betweenQuotes(s.text[start:end], t) {
				tag.steps = append(tag.steps, quoted)
			}
			seq = append(seq, piece{tag: tag, place: at.place})
		case at.literal != nil:
			seq = seq.literal(at.literal(t.text))
		default:
			seq = seq.literal(t.text)
		}
	}
	return seq
}

// tag compiles one tag of the stretch that begins at start.
func (s source) tag(t token, start int, at site) *tag {
	signs := t.signsBody()
	s.carried(t, start, at)
	switch {
	case !signs:
		s.tags = append(s.tags, Tag{Name: t.name, Key: s.key})
	case s.inBody:
		s.problemAt(start+t.offset, "%s: the body cannot hold a signature of itself", t.text)
	default:
		s.signs = true
	}
	filters := newChain(instant{layout: ANSI, zone: s.Zone, timesIn: s.TimesIn}, s.Secrets)
	for _, f := range t.filters {
		if at.unescape != nil {
			f.arg = at.unescape(f.arg)
		}
		if err := filters.add(f); err != nil {
			s.problemAt(start+f.offset, "%s: %v", t.text, err)
			if name, unknown := errors.AsType[unknownFilter](err); unknown {
				s.problems[len(s.problems)-1].Filter = string(name)
			}
		}
	}
	return &tag{
		name:     t.name,
		source:   t.text,
		key:      s.key,
		steps:    filters.transforms(slices.Contains(s.Times, t.name)),
		typed:    filters.last != nil,
		fallback: filters.defaults,
		omits:    filters.omits,
		signs:    signs,
		encoded:  slices.Contains(s.Encoded, t.name),
	}
}

// betweenQuotes reports whether a tag is all of what stands between quotes of a
// document within the stretch.
func betweenQuotes(text string, t token) bool {
	behind := strings.TrimPrefix(text[t.offset+len(t.text):], "\\")
	return strings.HasSuffix(text[:t.offset], `"`) && strings.HasPrefix(behind, `"`)
}
