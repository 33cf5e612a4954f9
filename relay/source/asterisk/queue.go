package asterisk

import (
	"slices"
	"time"

	"callrelay/relay/source"
)

// waits are the callers in queues.
type waits struct {
	*ledger
	owed []*leg // those who left a queue, nobody knows how yet
}

// statuses are what Queue() says in QUEUESTATUS when it lets a caller go.
var statuses = map[string]string{
	"TIMEOUT": source.LeftTimeout, "FULL": source.LeftFull,
	"JOINEMPTY": source.LeftNoAgents, "LEAVEEMPTY": source.LeftNoAgents, "JOINUNAVAIL": source.LeftNoAgents, "LEAVEUNAVAIL": source.LeftNoAgents,
}

// patience is how long a caller who left a queue may be on the way to an agent.
const patience = 2 * time.Second

// queueEnter notes that a caller waits in a queue.
func (t *waits) queueEnter(l *leg, p party, queue string, at time.Time) {
	t.leftBy(l)
	l.Caller, l.Asked = true, queue
	t.identify(l, p, true)
	if !t.Wants(queue, &l.call.Call) || queue == "" {
		return
	}
	l.Wait = &stay{Queue: queue}
	l.call.Queue = queue
	t.want(l.call)
	t.waiting("queue_enter", l, queue, "", at)
}

// queueAbandon notes that Asterisk counts a caller among those who gave up: it
// says so of one whose wait the queue ended, too.
func (t *waits) queueAbandon(l *leg, queue string, at time.Time) {
	t.count(queue, tally{Abandoned: 1})
	if l.Wait == nil {
		l.Wait = &stay{Queue: queue}
	}
	l.Wait.Abandoned = true
	t.queueLeave(l, at)
	if l.Hung {
		t.unserved(l, source.LeftHangup)
	}
}

// queueLeave notes that a caller left a queue: to an agent, or unserved.
func (t *waits) queueLeave(l *leg, at time.Time) {
	if l.Wait != nil && l.Wait.Left.IsZero() {
		l.Wait.Left = at
		t.owed = append(t.owed, l)
	}
}

// queueStatus takes what Queue() says of a caller whom it lets go, or whom it
// never took.
func (t *waits) queueStatus(l *leg, status string, at time.Time) {
	result, ok := statuses[status]
	switch {
	case !ok:
		return
	case l.Wait == nil && l.Asked != "" && (result == source.LeftFull || status == "JOINEMPTY" || status == "JOINUNAVAIL"):
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
func (t *waits) goesOn(l *leg) {
	if l.Wait == nil || l.Wait.Left.IsZero() {
		return
	}
	result := source.LeftKey
	if l.Wait.Abandoned {
		result = source.LeftTimeout
	}
	t.unserved(l, result)
}

// leftBy settles, at the end of a leg or of its wait, how it left its queue.
func (t *waits) leftBy(l *leg) {
	if l.Wait != nil && l.Gone && l.Wait.Abandoned {
		t.unserved(l, source.LeftHangup)
	}
	t.goesOn(l)
	t.served(l) // if it was not heard how, the queue counted it
}

// unserved raises queue_abandon.
func (t *waits) unserved(l *leg, result string) {
	w := l.Wait
	t.served(l)
	if t.Wants(w.Queue, &l.call.Call) {
		l.call.Left = result
		t.want(l.call)
		t.waiting("queue_abandon", l, w.Queue, result, w.Left)
	}
}

// served forgets a caller's wait.
func (t *waits) served(l *leg) {
	l.Wait = nil
	t.owed = slices.DeleteFunc(t.owed, func(x *leg) bool { return x == l })
}

// overdue settles how callers left a queue who should have met an agent by now.
func (t *waits) overdue(at time.Time) {
	for _, l := range slices.Clone(t.owed) {
		if l.Wait != nil && at.Sub(l.Wait.Left) > patience && !slices.ContainsFunc(t.dialledBy(l), (*leg).answered) {
			t.goesOn(l)
		}
	}
}
