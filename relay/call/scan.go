package call

import (
	"strings"
	"unicode/utf8"
)

// maxFlat is how many members scanFlat takes; it compares names one by one.
const maxFlat = 64

// scanFlat reads the usual event in one quick pass: an object whose values are
// plain strings, numbers and literals, with no escapes. It is not ok for
// anything else, faults included, which is then read by the strict reader.
func scanFlat(src string) (members []member, ok bool) {
	s := scanner{src: src}
	if !s.take('{') {
		return nil, false
	}
	members = make([]member, 0, 32)
	var seen uint64
	for {
		var m member
		if m.name, ok = s.plain(); !ok || !s.take(':') || m.name == "segments" {
			return nil, false
		}
		if m.raw, ok = s.scalar(); !ok {
			return nil, false
		}
		if bit := nameBit(m.name); seen&bit == 0 {
			seen |= bit
		} else if _, twice := find(members, m.name); twice {
			return nil, false
		}
		members = append(members, m)
		if s.take(',') {
			if len(members) == maxFlat {
				return nil, false
			}
			continue
		}
		return members, s.take('}') && s.end() && (!s.wide || utf8.ValidString(src))
	}
}

// nameBit is a bit that most names do not share: only where it was seen before
// may a name be there twice.
func nameBit(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((uint(len(name))*7 + uint(name[0])*3 + uint(name[len(name)-1])*11) % 64)
}

// scanner is a place in the text of an event.
type scanner struct {
	src  string
	at   int
	wide bool // a string has bytes beyond ASCII
}

// space skips white space and returns the byte at the place, or 0 at the end.
func (s *scanner) space() byte {
	for ; s.at < len(s.src); s.at++ {
		switch c := s.src[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.space() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) end() bool {
	return s.space() == 0 && s.at == len(s.src)
}

// plain takes a string without escapes and returns what is between the quotes.
func (s *scanner) plain() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	for i := s.at; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '"':
			text := s.src[s.at:i]
			s.at = i + 1
			return text, true
		case c < ' ', c == '\\':
			return "", false
		case c >= utf8.RuneSelf:
			s.wide = true
		}
	}
	return "", false
}

// scalar takes a string, number or literal and returns it as it is written.
func (s *scanner) scalar() (string, bool) {
	switch c := s.space(); {
	case c == '"':
		start := s.at
		_, ok := s.plain()
		return s.src[start:s.at], ok
	case c == '-', c >= '0' && c <= '9':
		return s.number()
	}
	for _, literal := range []string{"true", "false", "null"} {
		if strings.HasPrefix(s.src[s.at:], literal) {
			s.at += len(literal)
			return literal, true
		}
	}
	return "", false
}

// number takes an integer or a decimal fraction without an exponent.
func (s *scanner) number() (string, bool) {
	start := s.at
	if s.src[s.at] == '-' {
		s.at++
	}
	first := s.at
	if n := s.digits(); n == 0 || n > 1 && s.src[first] == '0' {
		return "", false
	}
	if s.at < len(s.src) && s.src[s.at] == '.' {
		s.at++
		if s.digits() == 0 {
			return "", false
		}
	}
	return s.src[start:s.at], true
}

func (s *scanner) digits() int {
	first := s.at
	for s.at < len(s.src) && s.src[s.at] >= '0' && s.src[s.at] <= '9' {
		s.at++
	}
	return s.at - first
}
