package render

import "errors"

// sequence is a compiled template.
type sequence []piece

// piece is a literal, already as it is sent, or a tag and its place.
type piece struct {
	literal string
	tag     *tag // nil: a literal
	place   place
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
			if errors.Is(err, errOmitted) {
				dst = append(dst, omitted)
				continue
			}
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

// static reports whether s holds no tag, and so renders to the same text always.
func (s sequence) static() bool {
	for i := range s {
		if s[i].tag != nil {
			return false
		}
	}
	return true
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
