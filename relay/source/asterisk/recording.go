package asterisk

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// fileVariable is the channel variable that MixMonitor sets.
const fileVariable = "MIXMONITOR_FILENAME"

// files says where a recording is found that Asterisk names by its own path.
type files struct {
	From string // Asterisk's name of the folder of recordings
}

// below returns the path below the folder of recordings, empty for a file
// elsewhere.
func (f files) below(name string) string {
	rel, ok := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(path.Clean(f.From), "/")+"/")
	if !ok || f.From == "" {
		return ""
	}
	return rel
}

// varSet takes the name of the file that a leg is recorded to.
func (m *machine) varSet(ev ami.Message, at time.Time) {
	if ev.Get("Variable") == fileVariable && ev.Get("Value") != "" {
		m.recordedTo(m.join(ev, "", at), ev.Get("Value"))
	}
}

// recordedTo notes the file of a leg that is recorded.
func (m *machine) recordedTo(l *leg, name string) {
	s := m.recorded(l)
	if s == nil {
		return
	}
	s.Recording = name
	if m.files.below(name) == "" && m.files.From != "" {
		m.miss("recording %.200q is not below %q", name, m.files.From)
	}
}

// unnamed returns the legs found in conversation after a gap of which it is
// not known whether they are recorded, and to which file.
func (m *machine) unnamed() []*leg {
	found := slices.Collect(maps.Values(m.legs))
	found = slices.DeleteFunc(found, func(l *leg) bool {
		return !l.Unsure || l.Gone || l.Caller || l.ID == l.call.ID || l.Segment != nil && l.Segment.Recording != ""
	})
	slices.SortFunc(found, byID)
	return found
}

// named takes the file of a leg that was found after a gap.
func (m *machine) named(id, name string) {
	if l := m.legs[id]; l != nil && !l.Gone && name != "" {
		m.recordedTo(l, name)
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
