package render

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// compiler turns the templates of a [Spec] into sequences and collects what is
// wrong with them.
type compiler struct {
	zone, timesIn *time.Location
	problems      []Problem
	tags          []Tag
}

// source is a template being compiled: problems name its key and the place in it.
type source struct {
	*compiler
	key  string
	text string
}

func (c *compiler) source(key, text string) source { return source{c, key, text} }

// problem reports a mistake in the template as a whole.
func (c *compiler) problem(key, format string, args ...any) {
	c.problems = append(c.problems, Problem{Key: key, Text: fmt.Sprintf(format, args...)})
}

// problem reports a mistake at an offset of the template.
func (s source) problem(offset int, format string, args ...any) {
	text := position(s.text, offset) + ": " + fmt.Sprintf(format, args...)
	s.problems = append(s.problems, Problem{Key: s.key, Text: text})
}

// value compiles a whole template whose tags all stand in one kind of place.
func (s source) value(at place, literal func(string) string) sequence {
	return s.part(nil, 0, s.text, at, literal, nil)
}

// part adds text, found at offset of the template, to seq. Literals go through
// literal, the arguments of filters through unescape, when these are not nil.
func (s source) part(seq sequence, offset int, text string, at place, literal, unescape func(string) string) sequence {
	for _, t := range lex(text) {
		switch {
		case t.name != "":
			seq = append(seq, piece{tag: s.tag(t, offset, unescape), place: at})
		case literal != nil:
			seq = seq.literal(literal(t.text))
		default:
			seq = seq.literal(t.text)
		}
	}
	return seq
}

// tag compiles one tag; base is the offset in the template of the text that was lexed.
func (s source) tag(t token, base int, unescape func(string) string) *tag {
	s.tags = append(s.tags, Tag{Name: t.name, Key: s.key})
	compiled := &tag{name: t.name, source: t.text, key: s.key}
	steps := chain{instant: instant{layout: ANSI, zone: s.zone, timesIn: s.timesIn}, at: -1}
	for _, c := range t.filters {
		if unescape != nil {
			c.arg = unescape(c.arg)
		}
		if err := steps.add(c); err != nil {
			s.problem(base+c.offset, "%s: %v", t.text, err)
		}
	}
	compiled.steps = steps.filters(slices.Contains(TimeTags(), t.name))
	compiled.typed = steps.last != nil
	compiled.fallback = steps.fallback
	return compiled
}

// chain collects the filters of one tag. Time and zone make one step, where the
// first of them stands; number, json or bool comes last, and a default written
// after it still comes before it.
type chain struct {
	steps    []filter
	instant  instant
	at       int // where among steps the instant comes; -1: nowhere
	last     filter
	lastName string
	fallback bool
}

func (c *chain) add(f call) error {
	if f.name == "time" || f.name == "zone" {
		if c.at < 0 {
			c.at = len(c.steps)
		}
		return c.instant.set(f)
	}
	step, err := newFilter(f)
	switch {
	case err != nil:
		return err
	case f.name == "default":
		c.fallback = true
	case c.last != nil:
		return fmt.Errorf("filter %s follows %s, which must be the last one", f.name, c.lastName)
	case typed(f.name):
		c.last, c.lastName = step, f.name
		return nil
	}
	c.steps = append(c.steps, step)
	return nil
}

// filters is the chain in the order of use. The value of a time tag is brought
// into the default form first, unless its number is asked for.
func (c *chain) filters(timeTag bool) []filter {
	if c.at < 0 && timeTag && c.lastName != "number" {
		c.at = 0
	}
	if c.at >= 0 {
		c.steps = slices.Insert(c.steps, c.at, c.instant.filter)
	}
	if c.last != nil {
		c.steps = append(c.steps, c.last)
	}
	return c.steps
}

var errTagInName = errors.New("a tag cannot stand in a name")

// name refuses tags in a field's name, which is sent as it is.
func (c *compiler) name(key, name string) {
	for _, t := range lex(name) {
		if t.name != "" {
			c.problem(key, "%s: %v", t.text, errTagInName)
		}
	}
}
