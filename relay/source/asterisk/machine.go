package asterisk

import (
	"slices"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// Bounds of what the machine remembers.
const (
	maxCalls = 20_000 // in progress; beyond it the oldest is forgotten and counted
	maxPast  = 1_000  // ended, for events that come late
)

// machine turns manager events into call events. It does no I/O and reads no
// clock. It is not safe for concurrent use.
type machine struct {
	source  string
	queues  []string // only these; empty: all
	files   files
	since   time.Time // the source hears Asterisk without a break since then, by Asterisk's clock
	last    time.Time // when it was heard last, by the same clock
	calls   map[string]*call
	legs    map[string]*leg // of all calls, by Uniqueid
	past    []*call         // ended ones, oldest first
	tallies map[string]tally
	missed  int    // events that could not be turned
	problem string // why the last of them

	out  []output
	born *call // it appeared with the event at hand
}

// output is one call event.
type output struct {
	Name string
	Body []byte
	At   time.Time // the stamp of the manager event it comes from
}

func newMachine(source string, queues []string, f files) *machine {
	return &machine{
		source: source, queues: queues, files: f,
		calls: map[string]*call{}, legs: map[string]*leg{}, tallies: map[string]tally{},
	}
}

// apply takes the next manager event, with its stamp, and returns the call
// events that follow from it, in order.
func (m *machine) apply(ev ami.Message, at time.Time) []output {
	m.out, m.born = nil, nil
	m.turn(ev, at)
	if m.born != nil {
		m.start(m.born)
		if n := len(m.out) - 1; n > 0 && m.born.Started {
			m.out = slices.Concat(m.out[n:], m.out[:n]) // a call starts before anything happens in it
		}
	}
	return m.out
}

// heard notes that Asterisk was heard at that moment of its clock.
func (m *machine) heard(at time.Time) {
	if at.After(m.last) {
		m.last = at
	}
}

// turn is the table of what each manager event means.
func (m *machine) turn(ev ami.Message, at time.Time) {
	switch ev.Event() {
	case "Newchannel":
		m.join(ev, "", at)
	case "QueueCallerJoin":
		m.queueEnter(ev, at)
	case "QueueCallerAbandon":
		m.queueAbandon(ev, at)
	case "AgentConnect":
		m.agentConnect(ev, at)
	case "AgentComplete":
		m.agentComplete(ev, at)
	case "VarSet":
		m.varSet(ev, at)
	case "Newexten":
		m.newExten(ev)
	case "MixMonitorStart":
		m.recorded(m.join(ev, "", at))
	case "BridgeEnter":
		m.bridgeEnter(ev, at)
	case "BridgeLeave":
		m.bridgeLeave(ev, at)
	case "BlindTransfer":
		m.transferred(ev, "Transferer", at)
	case "AttendedTransfer":
		m.transferred(ev, "OrigTransferer", at)
		m.transferred(ev, "SecondTransferer", at)
	case "HangupRequest":
		if l := m.find(ev, "", at); l != nil {
			l.Hung = true
		}
	case "Hangup":
		m.hangup(ev, at)
	case "UserEvent":
		m.userEvent(ev, at)
	}
}

// find returns the leg an event speaks of, nil when it is not known. The
// prefix tells the leg apart where an event has several: Dest, Transferer.
func (m *machine) find(ev ami.Message, prefix string, at time.Time) *leg {
	l := m.legs[ev.Get(prefix+"Uniqueid")]
	if l == nil {
		return nil
	}
	l.stale = false
	if linked := ev.Get(prefix + "Linkedid"); older(linked, l.call.ID) {
		m.move(l, linked, at)
	}
	return l
}

// join returns the leg an event speaks of, made known if it was not; nil when
// the event names none.
func (m *machine) join(ev ami.Message, prefix string, at time.Time) *leg {
	if l := m.find(ev, prefix, at); l != nil {
		return l
	}
	id, linked := ev.Get(prefix+"Uniqueid"), ev.Get(prefix+"Linkedid")
	if id == "" || linked == "" {
		m.miss("%s names no %s leg", ev.Event(), prefix)
		return nil
	}
	l := &leg{ID: id, Channel: ev.Get(prefix + "Channel")}
	m.enrol(l, m.callOf(linked, at))
	m.identify(l, ev, prefix)
	return l
}

// identify takes the caller's and the called number from the caller's leg:
// the one that the call began with, or else the first that enters a queue.
// Until one of them is seen, the others know with whom they are connected.
func (m *machine) identify(l *leg, ev ami.Message, prefix string) {
	c := l.call
	switch {
	case c.Traced:
	case l.ID == c.ID, ev.Event() == "QueueCallerJoin":
		c.Traced = true
		c.ANI = ev.Get(prefix + "CallerIDNum")
		if !c.Start.IsZero() {
			c.DNIS = ev.Get(prefix + "Exten")
		}
	default:
		c.ANI = ev.Get(prefix + "ConnectedLineNum")
	}
}

// callOf returns the call in progress of that Linkedid, made known if it was
// not. Its beginning is known unless it began before the source listened.
func (m *machine) callOf(linked string, at time.Time) *call {
	if c := m.calls[linked]; c != nil {
		return c
	}
	if c := m.revive(linked); c != nil {
		return c
	}
	c := &call{ID: linked, Legs: map[string]*leg{}, Wanted: len(m.queues) == 0}
	if sec, _, ok := born(linked); !ok || sec >= m.since.Unix() {
		c.Start, m.born = at, c
	}
	m.bound()
	m.calls[linked] = c
	return c
}

func (m *machine) enrol(l *leg, c *call) {
	l.call = c
	c.Legs[l.ID] = l
	m.legs[l.ID] = l
}

// move takes a leg over to another call: Asterisk gives all that were ever
// joined in one conversation the oldest Linkedid among them.
func (m *machine) move(l *leg, linked string, at time.Time) {
	from := l.call
	delete(from.Legs, l.ID)
	m.enrol(l, m.callOf(linked, at))
	if from.alive() == 0 {
		m.end(from, at)
	}
}

// hangup ends a leg: the segment that was on it, and the call if it was its
// last leg.
func (m *machine) hangup(ev ami.Message, at time.Time) {
	l := m.find(ev, "", at)
	if l == nil || l.Gone {
		return
	}
	l.Gone = true
	if l.Segment != nil {
		m.terminate(l, at)
	}
	m.part(l, at)
}

// part lets go of a leg that is gone. An agent's is remembered until the call
// ends: its transfer may be told late.
func (m *machine) part(l *leg, at time.Time) {
	if l.Segment == nil {
		delete(l.call.Legs, l.ID)
		delete(m.legs, l.ID)
	}
	if l.call.alive() == 0 {
		m.end(l.call, at)
	}
}

// end closes a call that has no leg left.
func (m *machine) end(c *call, at time.Time) {
	m.start(c)
	if c.Wanted && !c.Ended {
		c.Ended = true
		m.raiseCall("call_end", c, "", at)
		m.raiseCall("post_call", c, c.Queue, at)
	}
	delete(m.calls, c.ID)
	m.past = append(m.past, c)
	if len(m.past) > maxPast {
		m.forget(m.past[0])
		m.past = m.past[1:]
	}
}

// revive brings an ended call back that has a new leg: its end was told too
// early, because not all of its legs show in the events of this login.
func (m *machine) revive(linked string) *call {
	i := slices.IndexFunc(m.past, func(c *call) bool { return c.ID == linked })
	if i < 0 {
		return nil
	}
	c := m.past[i]
	m.past = slices.Delete(m.past, i, i+1)
	m.calls[linked] = c
	return c
}

func (m *machine) forget(c *call) {
	for id := range c.Legs {
		delete(m.legs, id)
	}
}

// bound forgets the oldest call when there are too many to remember. It can
// only be that their ends are never told.
func (m *machine) bound() {
	if len(m.calls) < maxCalls {
		return
	}
	var oldest *call
	for _, c := range m.calls {
		if oldest == nil || older(c.ID, oldest.ID) {
			oldest = c
		}
	}
	m.forget(oldest)
	delete(m.calls, oldest.ID)
	m.miss("more than %d calls in progress", maxCalls)
}
