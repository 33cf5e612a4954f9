package freeswitch

import (
	"cmp"
	"slices"
	"time"

	"callrelay/relay/source"
)

// leg is one channel, by its uuid.
type leg struct {
	ID, Channel string
	Call        string    // the call it is part of
	Owner       bool      // the call is its: it is the caller's leg
	By          string    // the leg that called it; empty: the caller's, or a queue's call to an agent
	Half        string    // the other half, of a loopback channel
	Device      string    // the user of the directory whose phone it is; empty: a trunk's
	Queue       string    // that called it for an agent
	Agent       string    // as that queue names the agent
	Member      string    // the leg of the caller whom the queue called for
	Standby     bool      // it stands, and serves one caller after the other
	Created     time.Time // zero: before the source listened
	Rang        bool      // agent_ring was raised
	Spoke       time.Time // it has begun to hear somebody, the last time; zero: never
	Serves      string    // the leg of the agent who talks with this one
	Held        time.Time // it has put its peer on hold since then
	Hung        time.Time
	Complete    bool // nothing more comes of it
	Files       []*file
	Segment     *segment // open, or not reported yet
	Done        int      // segments reported

	stale bool // known before a gap, and not seen since
	gap   bool // something of it may not have been heard, and is in no count yet
}

// file is a recording of a leg.
type file struct {
	Name        string // below the folder of recordings
	Start, Stop time.Time
}

// segment is one agent's part of a call.
type segment struct {
	Call, Peer   string
	Queue, Agent string
	Start, End   time.Time
	Held         time.Duration
	Transferred  bool
	PeerHung     time.Time
}

// call is what the caller's leg went through.
type call struct {
	source.Call
	End       time.Time // the caller's leg was hung up
	Phone     string    // the device that made it; empty: it came from outside
	Visit     *stay     // the last queue it was in
	Visits    int
	Talked    time.Time // two have begun to talk, the last time
	Cause     string    // why nobody was reached, the last time
	Segments  int       // not reported yet
	Consult   bool      // an agent asks a colleague, while a caller waits
	Login     bool      // an agent's standing leg: no call itself
	Complete  bool      // the caller's leg is over
	Recording string    // of the whole call, if its document names one
}

// stay is one time in a queue.
type stay struct {
	N             int
	Queue, Member string
	Joined, Left  time.Time // Left is zero while it waits
	After         time.Time // the end of the stay before
	Answered      bool
	Result        string
}

// open reports whether the caller still waits, as far as is known.
func (v *stay) open() bool { return v != nil && !v.Answered && v.Left.IsZero() }

// within reports whether a moment that is cut to the second is after the start.
func (v *stay) within(at time.Time) bool { return !at.Before(v.Joined.Truncate(time.Second)) }

func (l *leg) loopback() bool { return loopback(l.Channel) }

// open reports whether the leg's segment goes on.
func (l *leg) open() bool { return l.Segment != nil && l.Segment.End.IsZero() }

// end ends the segment of the leg, if it goes on.
func (l *leg) end(at time.Time) {
	if l.open() {
		l.unhold(at)
		l.Segment.End = at
	}
}

// first is who hung up first of the two in the leg's segment; empty: not known.
func (l *leg) first() string {
	switch s := l.Segment; {
	case s.PeerHung.IsZero():
		return ""
	case !l.Hung.IsZero() && l.Hung.Before(s.PeerHung):
		return source.ByAgent
	}
	return source.ByCaller
}

// unhold notes that nobody waits any more.
func (l *leg) unhold(at time.Time) {
	if !l.Held.IsZero() && l.open() {
		l.Segment.Held += max(at.Sub(source.Later(l.Held, l.Segment.Start)), 0)
	}
	l.Held = time.Time{}
}

// minConsult is how long a recording must run before its segment for the start
// of it to be cut off: before an attended transfer the agents talk in private.
const minConsult = time.Second

// recorded is what was recorded of a segment on this leg, oldest first. What is
// in a file before and after the segment is left out; a whole one has nothing
// after it.
func (l *leg) recorded(s *segment, whole bool) (parts []source.Part) {
	for _, f := range l.Files {
		p := source.Part{Name: f.Name, Start: source.Later(f.Start, s.Start), End: cmp.Or(s.End, f.Stop)}
		if !f.Start.Before(p.End) && !p.End.IsZero() || !f.Stop.IsZero() && !f.Stop.After(s.Start) {
			continue
		}
		if d := s.Start.Sub(f.Start); d >= minConsult {
			p.From = d
		}
		if !s.End.IsZero() && (f.Stop.IsZero() && !whole || f.Stop.Sub(s.End) >= minConsult) {
			p.From, p.To = p.Start.Sub(f.Start), s.End.Sub(f.Start)
		}
		if !f.Stop.IsZero() {
			p.End = source.Earlier(f.Stop, p.End)
		}
		parts = append(parts, p)
	}
	return parts
}

// record notes the start of a recording, also of one that was only announced.
func (l *leg) record(name string, at time.Time) {
	if i := slices.IndexFunc(l.Files, func(f *file) bool { return f.Name == name && f.Stop.IsZero() }); i >= 0 {
		l.Files[i].Start = at
	} else if name != "" && len(l.Files) < 100 {
		l.Files = append(l.Files, &file{Name: name, Start: at})
	}
}

// recordEnd notes its end; what was discarded is deleted.
func (l *leg) recordEnd(name string, discarded bool, at time.Time) {
	for i, f := range l.Files {
		if f.Name == name && f.Stop.IsZero() {
			f.Stop = at
			if discarded {
				l.Files = append(l.Files[:i], l.Files[i+1:]...)
			}
			return
		}
	}
}
