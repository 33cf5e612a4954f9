package asterisk

import (
	"path"
	"strings"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// files says where a recording is found that Asterisk names by its own path.
type files struct {
	From string // Asterisk's name of the folder of recordings
}

// below returns the path below the folder of recordings; ok is false for a
// file elsewhere.
func (f files) below(name string) (rel string, ok bool) {
	rel, ok = strings.CutPrefix(path.Clean(name), strings.TrimSuffix(path.Clean(f.From), "/")+"/")
	return rel, ok && f.From != ""
}

// varSet takes the name of the file that a leg is recorded to.
func (m *machine) varSet(ev ami.Message, at time.Time) {
	if ev.Get("Variable") != "MIXMONITOR_FILENAME" || ev.Get("Value") == "" {
		return
	}
	s := m.recorded(m.join(ev, "", at))
	if s == nil {
		return
	}
	s.Recording = ev.Get("Value")
	if _, ok := m.files.below(s.Recording); !ok && m.files.From != "" {
		m.miss("recording %.200q is not below %q", s.Recording, m.files.From)
	}
}

// newExten learns from the arguments of MixMonitor(file,options,command)
// whether the file holds agent and caller on a channel each: option D.
func (m *machine) newExten(ev ami.Message) {
	l := m.legs[ev.Get("Uniqueid")]
	if l == nil || ev.Get("Application") != "MixMonitor" {
		return
	}
	_, options, _ := strings.Cut(ev.Get("AppData"), ",")
	options, _, _ = strings.Cut(options, ",")
	if s := m.recorded(l); s != nil {
		s.Dual = hasFlag(options, 'D')
	}
}

// hasFlag reports whether a dialplan option is given, outside the arguments
// that other options have in parentheses.
func hasFlag(options string, flag rune) bool {
	depth := 0
	for _, r := range options {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == flag && depth == 0:
			return true
		}
	}
	return false
}

// recording is the path of a segment's recording as the relay takes it; empty
// when there is none, or none that the relay could serve.
func (m *machine) recording(name string) string {
	rel, _ := m.files.below(name)
	return rel
}
