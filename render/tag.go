package render

import "time"

// tag is a tag of a compiled template.
type tag struct {
	name     string
	source   string // as written
	key      string // of the template it stands in
	steps    []filter
	typed    bool // the last step makes it JSON text: number, json or bool
	fallback bool // it has a default for what the event lacks
}

// piece is a literal, already as it is sent, or a tag and its place.
type piece struct {
	literal string
	tag     *tag // nil: a literal
	place   place
}

// sequence is a compiled template.
type sequence []piece

// run is the state of rendering one event.
type run struct {
	values   Values
	now      time.Time
	mappings map[string]string
	reject   bool
	steps    *[]Step  // nil unless traced
	mask     []string // collects [Request.Mask]
}

// append renders s.
func (s sequence) append(dst []byte, r *run) ([]byte, error) {
	for i := range s {
		p := &s[i]
		if p.tag == nil {
			dst = append(dst, p.literal...)
			continue
		}
		v, err := p.tag.value(r)
		if err != nil {
			return dst, err
		}
		if dst, err = p.place.append(dst, v.text()); err != nil {
			return dst, p.tag.fail(err)
		}
	}
	return dst, nil
}

// text renders s to a string; without tags it costs nothing.
func (s sequence) text(r *run) (string, error) {
	switch {
	case len(s) == 0:
		return "", nil
	case len(s) == 1 && s[0].tag == nil:
		return s[0].literal, nil
	}
	dst, err := s.append(make([]byte, 0, s.size()), r)
	return string(dst), err
}

// static tells whether s holds no tag, and so renders to the same text always.
func (s sequence) static() bool {
	for i := range s {
		if s[i].tag != nil {
			return false
		}
	}
	return true
}

// literal adds text that is sent as it is.
func (s sequence) literal(text string) sequence {
	if text == "" {
		return s
	}
	if last := len(s) - 1; last >= 0 && s[last].tag == nil {
		s[last].literal += text
		return s
	}
	return append(s, piece{literal: text})
}

// join adds another sequence.
func (s sequence) join(other sequence) sequence {
	for _, p := range other {
		if p.tag == nil {
			s = s.literal(p.literal)
		} else {
			s = append(s, p)
		}
	}
	return s
}

// size guesses how long the rendered text will be.
func (s sequence) size() int {
	const perTag = 32
	n := 0
	for i := range s {
		n += len(s[i].literal)
		if s[i].tag != nil {
			n += perTag
		}
	}
	return n
}

// value looks the tag up and applies mappings and filters.
func (t *tag) value(r *run) (Value, error) {
	raw := r.values(t.name)
	if raw.Kind == Absent && t.name == "now" {
		raw = Value{String, r.now.Format(time.RFC3339Nano)}
	}
	if r.reject && raw.missing() && !t.fallback {
		return Value{}, &Error{Key: t.key, Tag: t.source, Text: "the event lacks it"}
	}
	v := raw
	if to, ok := r.mappings[v.Text]; ok && !v.missing() {
		v = Value{String, to}
	}
	for _, step := range t.steps {
		var err error
		if v, err = step(v); err != nil {
			return Value{}, t.fail(err)
		}
	}
	if r.steps != nil {
		*r.steps = append(*r.steps, Step{Key: t.key, Tag: t.source, Value: raw, Text: v.text()})
	}
	return v, nil
}

func (t *tag) fail(err error) error {
	return &Error{Key: t.key, Tag: t.source, Text: err.Error()}
}
