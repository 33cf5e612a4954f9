package source

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Bounds of the events that wait for the relay to take them.
const (
	MaxSpooled      = 100_000
	MaxSpooledBytes = 32 << 20
)

// spool holds events in order until the relay has taken them. What does not
// fit is counted, never silently dropped. It is not safe for concurrent use.
type spool struct {
	maxEvents, maxBytes int

	waiting []Event
	bytes   int
	lost    Loss
	more    chan struct{} // holds a token when something was put in
}

// Loss is what did not fit.
type Loss struct {
	Events   int
	From, To time.Time
}

func newSpool(most int) *spool {
	return &spool{maxEvents: cmp.Or(most, MaxSpooled), maxBytes: MaxSpooledBytes, more: make(chan struct{}, 1)}
}

// put adds an event, or counts it as lost when the spool is full.
func (s *spool) put(o Event) {
	if len(s.waiting) >= s.maxEvents || s.bytes+len(o.Body) > s.maxBytes {
		if s.lost.Events == 0 {
			s.lost.From = o.At
		}
		s.lost.Events++
		s.lost.To = o.At
		return
	}
	s.waiting = append(s.waiting, o)
	s.bytes += len(o.Body)
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// loss returns what was lost, once there is room again to say so.
func (s *spool) loss() (Loss, bool) {
	if s.lost.Events == 0 || len(s.waiting) > s.maxEvents/2 || s.bytes > s.maxBytes/2 {
		return Loss{}, false
	}
	lost := s.lost
	s.lost = Loss{}
	return lost, true
}

// first returns the oldest events, as many as wait and at most so many.
func (s *spool) first(most int) []Event {
	return slices.Clone(s.waiting[:min(most, len(s.waiting))])
}

// settle removes the oldest events, but those that wait further.
func (s *spool) settle(waits []bool) {
	var kept []Event
	for i, waits := range waits {
		if waits {
			kept = append(kept, s.waiting[i])
		} else {
			s.bytes -= len(s.waiting[i].Body)
		}
	}
	rest := s.waiting[len(waits)-len(kept):]
	copy(rest, kept)
	clear(s.waiting[:len(waits)-len(kept)])
	if s.waiting = rest; len(rest) == 0 {
		s.waiting = nil
	}
}

// pending returns the bodies of all events that wait.
func (s *spool) pending() []json.RawMessage {
	bodies := make([]json.RawMessage, len(s.waiting))
	for i, o := range s.waiting {
		bodies[i] = o.Body
	}
	return bodies
}
