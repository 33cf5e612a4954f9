package asterisk

import (
	"cmp"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// Reasons why a segment ended.
const (
	reasonAgent    = "agent"
	reasonCaller   = "caller"
	reasonTransfer = "transfer"
)

// mark makes a leg an agent's.
func (l *leg) mark() *segment {
	if l.Segment == nil {
		l.Segment = &segment{ID: l.ID, Agent: l.device()}
	}
	s := l.Segment
	s.Queue, s.Username = cmp.Or(s.Queue, l.Queue), cmp.Or(s.Username, l.Member)
	return s
}

// recorded marks a leg that the dialplan records as an agent's. A recording of
// the caller's leg belongs to no agent: on a transfer the next one overwrites
// it.
func (m *machine) recorded(l *leg) *segment {
	if l == nil || l.ID == l.call.ID || l.Caller {
		return nil
	}
	if l.Segment == nil && l.local() {
		return nil
	}
	return l.mark()
}

func (m *machine) queueEnter(ev ami.Message, at time.Time) {
	l := m.join(ev, "", at)
	if l == nil {
		return
	}
	l.Caller = true
	m.identify(l, ev, "")
	queue := ev.Get("Queue")
	if !m.wants(queue) {
		return
	}
	l.call.Queue = queue
	m.want(l.call)
	m.raiseQueue("queue_enter", l, queue, at)
}

// queueAbandon is raised for a caller who hung up and for one whose wait the
// queue ended: Asterisk does not tell them apart.
func (m *machine) queueAbandon(ev ami.Message, at time.Time) {
	queue := ev.Get("Queue")
	m.count(queue, tally{Abandoned: 1})
	if l := m.join(ev, "", at); l != nil && m.wants(queue) {
		m.want(l.call)
		m.raiseQueue("queue_abandon", l, queue, at)
	}
}

func (m *machine) agentConnect(ev ami.Message, at time.Time) {
	if l := m.join(ev, "", at); l != nil {
		l.Caller = true
	}
	l := m.join(ev, "Dest", at)
	if l == nil {
		return
	}
	s := l.mark()
	s.Queue, s.Agent, s.Username = ev.Get("Queue"), ev.Get("Interface"), ev.Get("MemberName")
	l.Unsure = false // it begins now
	if m.wants(s.Queue) {
		m.want(l.call)
		m.raiseSegment("dequeue", l, at)
	}
	if !l.Entered.IsZero() {
		m.connect(l, l.Entered)
	}
}

// agentComplete adds the reason to a segment that is still open. It is no key:
// the fields of either leg may be missing, and after a redirect it comes at
// the end of the call, when the segment it means is long done. If there never
// was one, it began and ended while nobody listened.
func (m *machine) agentComplete(ev ami.Message, at time.Time) {
	m.count(ev.Get("Queue"), tally{Completed: 1})
	l, sure := m.completed(ev)
	if l == nil {
		if m.wants(ev.Get("Queue")) && !m.served(ev) {
			m.raiseGap(gap{Reason: gapUnseen, Missing: 1, Checked: true}, time.Time{}, at)
		}
		return
	}
	if !sure && l.Segment.Reason != "" {
		return
	}
	switch reason := ev.Get("Reason"); reason {
	case reasonAgent, reasonCaller, reasonTransfer:
		l.Segment.Reason = reason
	}
}

// completed finds the open segment of an AgentComplete. It is sure when the
// event names the leg itself.
func (m *machine) completed(ev ami.Message) (l *leg, sure bool) {
	if l := m.legs[ev.Get("DestUniqueid")]; l != nil && l.Segment != nil {
		if !l.open() {
			return nil, false
		}
		return l, true
	}
	return only(m.legs, func(l *leg) bool { return l.open() && l.serves(ev) }), false
}

// served reports whether a segment of an AgentComplete is known, open or done.
func (m *machine) served(ev ami.Message) bool {
	for _, l := range m.legs {
		if l.serves(ev) {
			return true
		}
	}
	return false
}

// serves reports whether a queue's event can be about the leg's segment: of
// that queue and agent, and of that call unless the event names none.
func (l *leg) serves(ev ami.Message) bool {
	s, linked := l.Segment, ev.Get("Linkedid")
	return s != nil && s.Agent == ev.Get("Interface") && (s.Queue == "" || s.Queue == ev.Get("Queue")) &&
		(linked == "" || linked == l.call.ID)
}

// only returns the one leg for which ok holds; nil when none or several do.
func only(legs map[string]*leg, ok func(*leg) bool) *leg {
	var found *leg
	for _, l := range legs {
		switch {
		case !ok(l):
		case found != nil:
			return nil
		default:
			found = l
		}
	}
	return found
}

// connect raises agent_connect once, when the agent hears somebody.
func (m *machine) connect(l *leg, at time.Time) {
	s := l.Segment
	if s == nil || s.Connected {
		return
	}
	s.Connected = true
	if m.wantsSegment(l) {
		m.raiseSegment("agent_connect", l, at)
	}
}

// terminate raises the end of the segment on a leg that hung up. A leg that
// never heard anybody was no segment.
func (m *machine) terminate(l *leg, at time.Time) {
	s := l.Segment
	if s.Done || l.Entered.IsZero() && !l.Unsure {
		s.Done = true
		return
	}
	s.End = l.Left
	if s.End.IsZero() {
		s.End = at
	}
	m.finish(l, at)
}

// finish raises agent_termination, and transfer_termination after it when the
// agent passed the call on. The segment's End is zero when it was not seen.
func (m *machine) finish(l *leg, at time.Time) {
	s := l.Segment
	if !l.Unsure && !l.Entered.IsZero() {
		m.connect(l, l.Entered)
	}
	s.Reason = m.reason(l)
	s.Done = true
	if !m.wantsSegment(l) {
		return
	}
	m.raiseSegment("agent_termination", l, at)
	if s.Transferred {
		m.raiseTransfer(l, at)
	}
}

// reason says who ended the segment: as AgentComplete has it if that came in
// time, else from what was seen of the legs.
func (m *machine) reason(l *leg) string {
	s := l.Segment
	peer := m.legs[s.Peer]
	switch {
	case s.Transferred:
		return reasonTransfer
	case s.Reason != "":
		return s.Reason
	case l.Hung, s.First:
		return reasonAgent
	case peer != nil && peer.Hung:
		return reasonCaller
	case s.PeerMoved:
		return reasonTransfer
	case s.Peer != "":
		return reasonCaller
	}
	return ""
}

// transferred notes that the agent on a leg passed the call on. Its
// transfer_termination follows the end of the leg; when that came first, it
// comes now.
func (m *machine) transferred(ev ami.Message, prefix string, at time.Time) {
	l := m.find(ev, prefix, at)
	if l == nil || l.Segment == nil || ev.Get("Result") != "Success" {
		return
	}
	s := l.Segment
	s.Transferred = true
	if s.Done && m.wantsSegment(l) {
		s.Reason = reasonTransfer
		m.raiseTransfer(l, at)
	}
}

func (m *machine) raiseTransfer(l *leg, at time.Time) {
	if !l.Segment.TransferRaised {
		l.Segment.TransferRaised = true
		m.raiseSegment("transfer_termination", l, at)
	}
}
