package asterisk

import (
	"slices"
	"time"

	"callrelay/relay/source"
)

// tapes are the recordings, and what they have of each segment.
type tapes struct{ *ledger }

// recordedTo notes the file that a leg is recorded to from now on.
func (t *tapes) recordedTo(l *leg, name string, at time.Time) {
	f := &file{Name: name, Start: at, Bridged: hasFlag(l.Options, 'b'), Dual: hasFlag(l.Options, 'D')}
	l.Options = ""
	l.Files = append(l.Files, f)
	if source.Below(t.folder, name) == "" && t.folder != "" {
		t.Miss("recording %.200q is not below %q", name, t.folder)
	}
}

// recording notes that recording has begun; the file may have been named.
func (t *tapes) recording(l *leg, at time.Time) {
	if n := len(l.Files); n > 0 && !l.Files[n-1].Told {
		l.Files[n-1].Start, l.Files[n-1].Told = at, true
		return
	}
	l.Files = append(l.Files, &file{Start: at, Told: true})
}

// silenced notes that the oldest recording that runs was stopped.
func (l *leg) silenced(at time.Time) {
	for _, f := range l.Files {
		if f.Stop.IsZero() {
			f.Stop = at
			return
		}
	}
}

// hear notes what is recorded of the conversation that a segment is.
func (t *tapes) hear(l *leg) {
	s := l.Segment
	for _, x := range t.around(l) {
		own := x == l || x.local() && !t.callers(x)
		if len(x.Files) == 0 || !own && x.ID != x.call.ID && !x.Caller && !x.local() && t.agent(x) {
			continue
		}
		if !slices.ContainsFunc(s.Sources, func(r tape) bool { return r.Leg == x.ID }) {
			s.Sources = append(s.Sources, tape{Leg: x.ID, Own: own})
		}
	}
}

// callers reports whether a Local channel stands for a caller: the call began
// with it, or it waits in a queue.
func (t *tapes) callers(l *leg) bool {
	is := func(x *leg) bool { return x != nil && (x.Caller || x.ID == x.call.ID) }
	return is(l) || is(t.other(l))
}

// gather says what was recorded of a segment that ends: the files of its own
// side, or else its part of those of the call.
func (t *tapes) gather(l *leg) {
	s := l.Segment
	var others []source.Part
	for _, r := range s.Sources {
		x := t.legs[r.Leg]
		if x == nil { // it was gone before a restart
			continue
		}
		for _, f := range x.Files {
			p := source.Part{Name: source.Below(t.folder, f.Name), Dual: f.Dual, Start: source.Later(f.Start, s.Start), End: s.End}
			if p.Name == "" || !f.Start.Before(s.End) && !s.End.IsZero() || !f.Stop.IsZero() && f.Stop.Before(s.Start) {
				continue
			}
			if !f.Stop.IsZero() && f.Stop.Before(s.End) {
				p.End = f.Stop
			}
			own := r.Own && (f.Used == "" || f.Used == s.ID)
			goesOn := x != l && s.Transferred && !x.Gone
			if !s.Start.IsZero() && (!own || goesOn) {
				p.From, p.To = x.position(f, s.Start), x.position(f, s.End)
			}
			if own {
				f.Used = s.ID
				s.Files = append(s.Files, p)
			} else if p.To > p.From {
				others = append(others, p)
			}
		}
	}
	if s.Files == nil {
		s.Files = others
	}
	slices.SortStableFunc(s.Files, func(a, b source.Part) int { return a.Start.Compare(b.Start) })
	s.Sources = nil
}

// unnamed returns the legs found in conversation after a gap of which it is
// not known whether they are recorded, and to which file.
func (t *tapes) unnamed() []*leg {
	return t.those(func(l *leg) bool {
		doubtful := l.Unsure && !l.Caller && l.ID != l.call.ID || l.open() && l.Segment.Unsure
		return doubtful && !l.Gone && len(l.Files) == 0
	})
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
