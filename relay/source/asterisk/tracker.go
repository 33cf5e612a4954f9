package asterisk

import (
	"slices"
	"time"

	"callrelay/relay/source"
)

// tracker follows calls, and reports them. It knows legs, bridges, dials and
// queues, and no word of the manager interface. It does no I/O and reads no
// clock. It is not safe for concurrent use.
type tracker struct {
	*ledger
	waits
	rings
	tapes
	talks
}

func newTracker(r reporter, p phones) tracker {
	l := &ledger{graph: newGraph(), reporter: r, phones: p, calls: map[string]*call{}, tallies: map[string]tally{}, census: census{}}
	return tracker{ledger: l, waits: waits{ledger: l}, rings: rings{l}, tapes: tapes{l}, talks: talks{l, tapes{l}}}
}

// hangup ends a leg: the segment that was on it, and the call if it was its
// last leg.
func (t *tracker) hangup(l *leg, cause string, at time.Time) {
	if l.Gone {
		return
	}
	connected := t.around(l)[1:]
	l.Gone = true
	t.unrung(l, cause, at)
	t.leftBy(l)
	t.isolate(l)
	t.settle(at, l, false, connected...)
	if l.Segment != nil {
		t.finish(l, at)
	}
	t.part(l, at)
}

// part lets go of a leg that is gone. An agent's is remembered beyond the end of
// the call, since its transfer may be reported late, and so are recordings.
func (t *tracker) part(l *leg, at time.Time) {
	if l.Segment == nil && len(l.Past) == 0 && len(l.Files) == 0 {
		delete(l.call.Legs, l.ID)
		t.remove(l)
	}
	if l.call.alive() == 0 {
		t.close(l.call, at)
	}
}

// close ends a call that has no leg left, and the segments of it that are on
// legs of other calls.
func (t *tracker) close(c *call, at time.Time) {
	for _, l := range t.lent(c) {
		if l.open() {
			t.finish(l, at)
		}
	}
	t.end(c, at)
}

// agentConnect notes that a queue's caller gets an agent: the segment is the
// phone's that the leg stands for.
func (t *tracker) agentConnect(caller, l *leg, o offer, at time.Time) {
	c := l.call
	if caller != nil {
		t.served(caller)
		caller.Caller = true
		c = caller.call
	}
	l.Unsure = false // it begins now
	s := t.mark(l)
	s.Queue, s.Agent, s.Username, s.Claim = o.Queue, o.Agent, o.Username, l.ID
	if c != l.call {
		s.Call = c.ID
	}
	phone := l
	if l.local() {
		s.Device, phone = "", t.called(l)
	}
	t.pickedUp(s, phone)
	t.handOn(l, t.behind(l))
	switch {
	case s.Device != "":
	case phone != nil:
		s.Device = phone.device()
	case !t.dials:
		s.Device = t.phones.members[member{o.Queue, o.Agent}].device
	}
	if t.Wants(s.Queue, &c.Call) {
		t.want(c)
		t.Segment("dequeue", &c.Call, &s.Segment, at)
	}
	t.settle(at, nil, false, l)
}

// agentComplete takes the end of a conversation as its queue has it. Who ended
// it shows in the legs, but for a transfer of which nothing else was reported. It
// is no key: the fields of either leg may be missing, and after a redirect it
// comes at the end of the call, when the segment it means is long done. If
// there never was one, it began and ended while nobody listened.
func (t *tracker) agentComplete(claim, linked string, o offer, reason string, at time.Time) {
	t.count(o.Queue, tally{Completed: 1})
	for _, l := range t.legs {
		if l.open() && l.Segment.Claim == claim && l.Segment.of(o.Agent) && reason == source.ByTransfer {
			l.Segment.Reason, l.Segment.Told = reason, at
		}
	}
	if t.Wants(o.Queue, &source.Call{}) && !t.knows(claim, linked, o) {
		t.Gap(source.Gap{Reason: gapUnseen, Missing: 1, Checked: true}, time.Time{}, at)
	}
}

// knows reports whether a segment of an AgentComplete is known, open or done:
// the one of the leg that the queue called, or one of that queue and agent, in
// that call unless the event names none.
func (t *tracker) knows(claim, linked string, o offer) bool {
	for _, l := range t.legs {
		for _, s := range append(slices.Clip(l.Past), l.Segment) {
			if s != nil && (s.Claim != "" && s.Claim == claim ||
				s.of(o.Agent) && (s.Queue == "" || s.Queue == o.Queue) && (linked == "" || linked == l.call.ID || s.Call != "")) {
				return true
			}
		}
	}
	return false
}

// of reports whether a queue means the segment when it names an agent.
func (s *segment) of(agent string) bool {
	return s.Agent == agent || s.Called != "" && s.Called == agent
}
