package asterisk

import (
	"slices"
	"time"
)

// How a caller leaves a queue unserved.
const (
	leftHangup   = "hangup"
	leftTimeout  = "timeout"
	leftKey      = "key"
	leftNoAgents = "no_agents"
	leftFull     = "full"
)

// statuses are what Queue() says in QUEUESTATUS when it lets a caller go.
var statuses = map[string]string{
	"TIMEOUT": leftTimeout, "FULL": leftFull,
	"JOINEMPTY": leftNoAgents, "LEAVEEMPTY": leftNoAgents, "JOINUNAVAIL": leftNoAgents, "LEAVEUNAVAIL": leftNoAgents,
}

// patience is how long a caller who left a queue may be on the way to an agent.
const patience = 2 * time.Second

// queueEnter notes that a caller waits in a queue.
func (t *tracker) queueEnter(l *leg, p party, queue string, at time.Time) {
	t.leftBy(l)
	l.Caller, l.Asked = true, queue
	t.identify(l, p, true)
	if !t.wants(queue, l.call) || queue == "" {
		return
	}
	l.Wait = &stay{Queue: queue}
	l.call.Queue = queue
	t.want(l.call)
	t.waiting("queue_enter", l, queue, "", at)
}

// queueAbandon notes that Asterisk counts a caller among those who gave up: it
// says so of one whose wait the queue ended, too.
func (t *tracker) queueAbandon(l *leg, queue string, at time.Time) {
	t.count(queue, tally{Abandoned: 1})
	if l.Wait == nil {
		l.Wait = &stay{Queue: queue}
	}
	l.Wait.Abandoned = true
	t.queueLeave(l, at)
	if l.Hung {
		t.unserved(l, leftHangup)
	}
}

// queueLeave notes that a caller left a queue: to an agent, or unserved.
func (t *tracker) queueLeave(l *leg, at time.Time) {
	if l.Wait != nil && l.Wait.Left.IsZero() {
		l.Wait.Left = at
		t.owed = append(t.owed, l)
	}
}

// queueStatus takes what Queue() says of a caller whom it lets go, or whom it
// never took.
func (t *tracker) queueStatus(l *leg, status string, at time.Time) {
	result, ok := statuses[status]
	switch {
	case !ok:
		return
	case l.Wait == nil && l.Asked != "" && (result == leftFull || status == "JOINEMPTY" || status == "JOINUNAVAIL"):
		l.Wait = &stay{Queue: l.Asked}
		l.Caller = true
		l.call.Queue = l.Asked
	case l.Wait == nil:
		return
	}
	t.queueLeave(l, at)
	t.unserved(l, result)
}

// goesOn notes that a caller does something after a queue: nobody hung up.
func (t *tracker) goesOn(l *leg) {
	if l.Wait == nil || l.Wait.Left.IsZero() {
		return
	}
	result := leftKey
	if l.Wait.Abandoned {
		result = leftTimeout
	}
	t.unserved(l, result)
}

// leftBy settles, at the end of a leg or of its wait, how it left its queue.
func (t *tracker) leftBy(l *leg) {
	if l.Wait == nil {
		return
	}
	switch {
	case l.Gone && l.Wait.Abandoned:
		t.unserved(l, leftHangup)
	case l.Wait.Left.IsZero(): // it was not heard how; the queue counted it
		t.served(l)
	default:
		t.goesOn(l)
	}
}

// unserved raises queue_abandon.
func (t *tracker) unserved(l *leg, result string) {
	w := l.Wait
	t.served(l)
	if t.wants(w.Queue, l.call) {
		l.call.Left = result
		t.want(l.call)
		t.waiting("queue_abandon", l, w.Queue, result, w.Left)
	}
}

// served forgets a caller's wait.
func (t *tracker) served(l *leg) {
	l.Wait = nil
	t.owed = slices.DeleteFunc(t.owed, func(x *leg) bool { return x == l })
}

// overdue settles how callers left a queue who should have met an agent by now.
func (t *tracker) overdue(at time.Time) {
	for _, l := range slices.Clone(t.owed) {
		if l.Wait != nil && at.Sub(l.Wait.Left) > patience && !t.answered(l) {
			t.goesOn(l)
		}
	}
}

// answered reports whether somebody whom the leg calls has answered.
func (t *tracker) answered(l *leg) bool {
	return slices.ContainsFunc(l.call.sorted(), func(x *leg) bool {
		return x.Dial != nil && x.Dial.By == l.ID && x.Dial.Answered && !x.Gone
	})
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
	if l.local() {
		l.Segments, s.Device = 0, ""
	}
	if c != l.call {
		t.lend(s, c, l)
	}
	phone := l
	if l.local() {
		phone = t.called(l)
	}
	t.pickedUp(s, phone)
	t.handOn(l, t.behind(l))
	switch {
	case s.Device != "":
	case phone != nil:
		s.Device = phone.device()
	case !t.dials:
		s.Device = t.phones.states[member{o.Queue, o.Agent}]
	}
	if t.wants(s.Queue, c) {
		t.want(c)
		t.segment("dequeue", c, s, at)
	}
	t.settle(at, nil, false, l)
}

// pickedUp makes a segment that of who picked the call up, as the queue names
// him if it does. A leg that began a call of its own did so.
func (t *tracker) pickedUp(s *segment, l *leg) {
	if l == nil || s.Claim == "" || s.Called != "" || l.local() || !l.Picked && (l.ID != l.call.ID || l.call.Login) {
		return
	}
	s.Called = s.Agent
	s.Agent, s.Username = l.device(), t.nameOf(l)
	for m, device := range t.phones.states {
		if m.queue == s.Queue && device == l.device() {
			s.Agent, s.Username = m.agent, t.phones.members[m]
		}
	}
}

// agentComplete adds the reason to a segment that is still open. It is no key:
// the fields of either leg may be missing, and after a redirect it comes at
// the end of the call, when the segment it means is long done. If there never
// was one, it began and ended while nobody listened.
func (t *tracker) agentComplete(claim, linked string, o offer, reason string, at time.Time) {
	t.count(o.Queue, tally{Completed: 1})
	s, sure := t.completed(claim, linked, o)
	if s == nil {
		if t.wants(o.Queue, &call{}) && !t.knows(linked, o) {
			t.raiseGap(gap{Reason: gapUnseen, Missing: 1, Checked: true}, time.Time{}, at)
		}
		return
	}
	if !sure && s.Reason != "" {
		return
	}
	switch reason {
	case reasonAgent, reasonCaller, reasonTransfer:
		s.Reason, s.Told = reason, at
	}
}

// completed finds the open segment of an AgentComplete. It is sure when the
// event names the leg itself, or the one that the queue called.
func (t *tracker) completed(claim, linked string, o offer) (found *segment, sure bool) {
	if l := t.legs[claim]; l != nil && l.Segment != nil && l.Segment.of(o.Agent) {
		if !l.open() {
			return nil, false
		}
		return l.Segment, true
	}
	n := 0
	for _, l := range t.legs {
		switch s := l.Segment; {
		case s == nil || !t.serves(s, t.callFor(l), linked, o):
		case claim != "" && s.Claim == claim:
			if l.open() {
				return s, true
			}
			return nil, false
		case l.open():
			found = s
			n++
		}
	}
	if n != 1 {
		return nil, false
	}
	return found, false
}

// knows reports whether a segment of an AgentComplete is known, open or done.
func (t *tracker) knows(linked string, o offer) bool {
	for _, l := range t.legs {
		if l.Segment != nil && t.serves(l.Segment, t.callFor(l), linked, o) {
			return true
		}
	}
	past := func(c *call) bool {
		return slices.ContainsFunc(c.Past, func(s *segment) bool { return t.serves(s, c, linked, o) })
	}
	for _, c := range t.calls {
		if past(c) {
			return true
		}
	}
	return slices.ContainsFunc(t.past, past)
}

// serves reports whether a queue's event can be about a segment: of that queue
// and agent, and of that call unless the event names none.
func (t *tracker) serves(s *segment, c *call, linked string, o offer) bool {
	return s.of(o.Agent) && (s.Queue == "" || s.Queue == o.Queue) && (linked == "" || linked == c.ID || s.Call != "")
}

// of reports whether a queue means the segment when it names an agent.
func (s *segment) of(agent string) bool { return s.Agent == agent || s.Called != "" && s.Called == agent }
