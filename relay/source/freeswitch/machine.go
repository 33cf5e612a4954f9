package freeswitch

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/freeswitch/esl"
)

// Bounds of what a machine remembers.
const (
	maxLegs  = 40_000 // beyond it the oldest call is forgotten and counted
	maxNames = 10_000 // of phones
)

// ccEvent is the event of mod_callcenter.
const ccEvent = "callcenter::info"

// channelEvents are the events of legs that are taken.
var channelEvents = []string{
	"CHANNEL_CREATE", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE", "CHANNEL_HOLD", "CHANNEL_UNHOLD",
	"CHANNEL_PARK", "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE", "RECORD_START", "RECORD_STOP",
}

// patience is how long an end is waited for that explains another: it comes
// within milliseconds, unless mod_json_cdr holds the leg.
const patience = 2 * time.Second

// tick is how far apart two stamps of one moment may be.
const tick = 100 * time.Millisecond

// machine turns the events of the event socket into call events. It does no
// I/O and reads no clock. It is not safe for concurrent use.
type machine struct {
	registry
	owed  map[string]bool // legs whose end waits to be explained
	tally map[string]int  // calls that each agent had answered, when FreeSWITCH was asked
	heard map[string]int  // those heard since then
	late  map[string]int  // those told since a gap began, of whose answer nobody heard

	documented func() bool // whether the records of legs come, too
}

func newMachine(name string, queues, phones []string, files Converter) *machine {
	plain := make([]string, len(queues))
	for i, q := range queues {
		plain[i] = queueName(q)
	}
	return &machine{
		registry: registry{
			reporter: reporter{Reporter: source.Reporter{Source: name, Queues: plain}, files: files, names: map[string]string{}},
			phones:   phones, legs: map[string]*leg{}, calls: map[string]*call{},
		},
		owed: map[string]bool{}, tally: map[string]int{}, heard: map[string]int{}, late: map[string]int{},
		documented: func() bool { return false },
	}
}

// apply takes the next event and returns the call events that follow.
func (m *machine) apply(ev esl.Event, at time.Time) []source.Event {
	m.Last = source.Later(m.Last, at)
	if name, id := ev.Name(), ev.Get("Unique-ID"); name == ccEvent {
		m.callcenter(ev, at)
	} else if id != "" && slices.Contains(channelEvents, name) {
		known := m.legs[id] != nil
		if l := m.leg(id, ev, at); l != nil && !known {
			m.ring(l)
		}
		m.channel(m.legs[id], ev, at)
	}
	m.settle(at)
	return m.Raised()
}

// channel takes an event of a leg.
func (m *machine) channel(l *leg, ev esl.Event, at time.Time) {
	if l == nil {
		return
	}
	switch ev.Name() {
	case "CHANNEL_BRIDGE":
		m.bridge(m.legs[ev.Get("Bridge-A-Unique-ID")], m.legs[ev.Get("Bridge-B-Unique-ID")], at)
	case "CHANNEL_UNBRIDGE":
		m.unbridge(m.legs[ev.Get("Bridge-A-Unique-ID")], m.legs[ev.Get("Bridge-B-Unique-ID")], ev.Time("Caller-Channel-Bridged-Time"), at)
	case "CHANNEL_HOLD":
		l.Held = at
	case "CHANNEL_UNHOLD":
		l.unhold(at)
	case "RECORD_START":
		l.record(m.files.below(ev.Get("Record-File-Path")), at)
	case "RECORD_STOP":
		l.recordEnd(m.files.below(ev.Get("Record-File-Path")), ev.Get("variable_RECORD_DISCARDED") == "true", at)
	case "CHANNEL_HANGUP":
		m.hangup(l, ev, at)
	case "CHANNEL_HANGUP_COMPLETE":
		m.hangup(l, ev, cmp.Or(ev.Time("Caller-Channel-Hangup-Time"), at))
		m.complete(l, ev)
	}
}

// ring takes a leg that is called. It gives the direction of a call that a
// phone made.
func (m *registry) ring(l *leg) {
	c := m.calls[l.Call]
	if l.Owner || l.loopback() || c == nil {
		return
	}
	m.reaches(c, l)
	if !m.phone(l) || !m.Wants(l.Queue, &c.Call) {
		return
	}
	l.Rang = true
	if device := cmp.Or(l.Device, l.Agent); !slices.Contains(c.Rang, device) {
		c.Rang = append(c.Rang, device)
	}
	m.ringing("agent_ring", c, l, "", l.Created)
}

// hangup ends a leg. What explains the end comes with the leg's last event.
func (m *machine) hangup(l *leg, ev esl.Event, at time.Time) {
	if !l.Hung.IsZero() {
		return
	}
	cause, c := ev.Get("Hangup-Cause"), m.calls[l.Call]
	m.unheard(l, m.legs[ev.Get("variable_last_bridge_to")], ev.Time("Caller-Channel-Bridged-Time"))
	l.Hung = at
	l.end(at)
	if s := l.Segment; s != nil {
		s.Transferred = moved(ev.Get("variable_transfer_disposition"))
	}
	if agent := m.legs[l.Serves]; agent != nil && agent.Segment != nil && agent.Segment.Peer == l.ID {
		agent.Segment.PeerHung = at
	}
	if c == nil {
		m.missed(l)
	} else if l.Owner {
		c.End = at
	}
	if c != nil && !l.Owner && l.Spoke.IsZero() {
		c.Cause = cause
		if l.Rang {
			m.ringing("agent_ring_end", c, l, ringResult(cause), at)
		}
	}
	m.owed[l.ID] = true
}

// missed counts a phone of which something was not heard, once.
func (m *registry) missed(l *leg) {
	if l.gap && m.phone(l) {
		l.gap = false
		m.gap.Unheard++
	}
}

// complete takes the last event of a leg, which has all that its record will
// have.
func (m *machine) complete(l *leg, ev esl.Event) {
	variable := func(name string) string { return ev.Get("variable_" + name) }
	l.Complete = true
	if l.Segment != nil {
		reason := endReason(variable)
		if reason == source.ByTransfer && !l.Segment.Transferred {
			reason = cmp.Or(l.first(), reason)
		}
		m.report(l, cmp.Or(reason, l.first()))
	}
	if c := m.calls[l.Call]; c != nil && l.Owner {
		c.Complete = true
		m.resolve(c, ev)
		c.Doubt = c.Doubt || conferred(variable)
		c.Cause = cmp.Or(variable("originate_failed_cause"), variable("last_bridge_hangup_cause"), c.Cause, variable("hangup_cause"))
	}
}

// settle reports what waited for its explanation, once it has it or will not
// get it any more.
func (m *machine) settle(at time.Time) {
	for _, id := range slices.Sorted(maps.Keys(m.owed)) {
		l := m.legs[id]
		if l != nil {
			m.explain(l, at)
		}
		if l == nil || l.Hung.IsZero() && l.Segment == nil {
			delete(m.owed, id)
			continue
		}
		overdue := !l.Hung.IsZero() && at.Sub(l.Hung) > patience
		if l.Hung.IsZero() || !l.Complete && !overdue || l.Owner && !m.close(l, overdue) {
			continue
		}
		delete(m.owed, id)
		delete(m.legs, id)
	}
}

// explain reports a segment whose end was seen long ago, or that ended while
// its leg stands.
func (m *machine) explain(l *leg, at time.Time) {
	s := l.Segment
	if s == nil || s.End.IsZero() {
		return
	}
	peer := m.legs[s.Peer]
	gone := peer == nil || !peer.Hung.IsZero()
	switch {
	case l.Standby && l.Hung.IsZero() && gone:
		m.report(l, source.ByCaller)
	case at.Sub(s.End) <= patience:
	case s.Transferred, !gone:
		m.report(l, source.ByTransfer)
	default:
		m.report(l, l.first())
	}
}

// close reports the end of a call whose caller's leg is over, after the ends
// of its segments. It is false when something of it is to come.
func (m *machine) close(owner *leg, overdue bool) bool {
	c := m.calls[owner.Call]
	if c == nil {
		return true
	}
	if !overdue && (c.Visit.open() || c.Segments > 0) {
		return false
	}
	if v := c.Visit; v.open() {
		m.leave(c, cmp.Or(v.Result, source.LeftHangup), c.End)
	}
	if c.Segments > 0 {
		m.reportAll(c, source.ByCaller)
	}
	m.finish(c)
	return true
}

// reportAll ends the segments of a call whose caller is gone; otherwise is why,
// when nothing shows it.
func (m *machine) reportAll(c *call, otherwise string) {
	for _, id := range slices.Sorted(maps.Keys(m.legs)) {
		if l := m.legs[id]; l.Segment != nil && l.Segment.Call == c.ID {
			l.end(c.End)
			reason := cmp.Or(l.first(), otherwise)
			if l.Segment.Transferred {
				reason = source.ByTransfer
			}
			m.report(l, reason)
		}
	}
}

func (m *machine) finish(c *call) {
	delete(m.calls, c.ID)
	if !c.Login {
		c.Direction = cmp.Or(c.Direction, source.Internal)
		m.Start(&c.Call)
		m.ended(c)
	}
}

// report raises the end of a leg's segment.
func (m *machine) report(l *leg, reason string) {
	s := l.Segment
	if c := m.calls[s.Call]; c != nil {
		c.Segments--
		m.segment("agent_termination", c, l, m.legs[c.ID], reason)
	}
	l.Done++
	l.Segment = nil
}
