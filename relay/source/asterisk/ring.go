package asterisk

import (
	"cmp"
	"slices"
	"time"
)

// rings are the phones that are called.
type rings struct{ *ledger }

// dialled notes that a leg is called: by another one, or by Asterisk itself.
func (t *rings) dialled(by, l *leg, text string, at time.Time) {
	t.dials = true
	if by != nil && l.call != by.call && l.ID != l.call.ID {
		t.transfer(l, by.call, at)
	}
	l.Dial = &dial{At: at}
	l.Dial.For = t.itself(l)
	if by != nil {
		l.Dial.By = by.ID
		if w := by.Wait; w != nil && l.Offer == nil {
			o := offer{Queue: w.Queue, Agent: text}
			for _, m := range t.phones.of(w.Queue, text) {
				o.Username = m.Username
			}
			l.Offer = &o
		}
	}
	t.reaches(l.call, l)
	t.ringAll(l.call)
}

// ringAll raises what is known by now: the phones that a Local channel calls
// may ring before it is called itself.
func (t *rings) ringAll(c *call) {
	for _, l := range c.sorted() {
		t.ring(l)
	}
}

// ring raises agent_ring once for a phone of which it is known by now who
// calls it: not for one that Asterisk calls first, to call somebody for it.
func (t *rings) ring(l *leg) {
	d := l.Dial
	if d == nil || d.Rang || d.Answered || !d.End.IsZero() || l.Gone || !t.phone(l) {
		return
	}
	o, known := t.ringer(l)
	if !known || l.call.ID == l.ID || l.call.Direction == "" {
		return
	}
	d.Rang, d.For = true, o
	if !t.Wants(o.Queue, &l.call.Call) {
		return
	}
	if !slices.Contains(l.call.Rang, l.device()) {
		l.call.Rang = append(l.call.Rang, l.device())
	}
	t.ringing("agent_ring", l, o, "", d.At)
}

// ringer says for which queue and agent a phone rings: whatever Local channels
// stand between. It is not known while one of them is not called yet.
func (t *rings) ringer(l *leg) (o offer, known bool) {
	l.Dial.through = t.before(l)
	for _, x := range append([]*leg{l}, l.Dial.through...) {
		switch {
		case x.Offer != nil:
			return *x.Offer, true
		case x.Dial == nil:
			return offer{}, false
		}
	}
	return t.itself(l), true
}

// dialEnd notes how a call to a leg ended.
func (t *rings) dialEnd(by, l *leg, status string, at time.Time) {
	if l.Dial == nil && by != nil && status == "ANSWER" { // it picked the call up
		l.Dial, l.Picked = &dial{By: by.ID, At: at}, true
	}
	d := l.Dial
	if d == nil || !d.End.IsZero() {
		return
	}
	d.End, d.Status, d.Answered = at, status, status == "ANSWER"
	l.call.Dial = cmp.Or(status, l.call.Dial)
}

// Causes of a hangup, as Q.850 counts them.
const (
	causeBusy      = "17"
	causeNoAnswer  = "19"
	causeRejected  = "21"
	causeElsewhere = "26"
)

// unrung raises agent_ring_end for a phone that rang and hangs up without having
// heard anybody: it did not answer, or heard a question or an announcement first.
func (t *rings) unrung(l *leg, cause string, at time.Time) {
	d := l.Dial
	if d == nil || !d.Rang || l.spoke() {
		return
	}
	if !d.End.IsZero() {
		at = d.End
	}
	if t.Wants(d.For.Queue, &l.call.Call) {
		t.ringing("agent_ring_end", l, d.For, t.ringResult(l, cause), at)
	}
}

// ringResult is why a phone rang in vain, from how the calls to it and to the
// Local channels that stand for it ended, and from its own cause.
func (t *rings) ringResult(l *leg, cause string) string {
	switch {
	case cause == causeElsewhere:
		return "answered_elsewhere"
	case cause == causeRejected, l.Dial.Status == "CONTINUE", l.Dial.Status == "ABORT", l.Dial.Answered && l.Hung:
		return "rejected"
	case l.Dial.Answered:
		return "cancelled"
	}
	calls := slices.DeleteFunc(append([]*leg{l}, l.Dial.through...), func(x *leg) bool { return x.Dial == nil })
	slices.SortStableFunc(calls, func(a, b *leg) int { // what ended first is the reason
		return cmp.Or(cmp.Compare(b.Dial.Status, "")-cmp.Compare(a.Dial.Status, ""), a.Dial.End.Compare(b.Dial.End))
	})
	for _, x := range calls {
		switch d := x.Dial; {
		case d.Status == "NOANSWER", d.Status == "" && cause == causeNoAnswer:
			return "no_answer"
		case d.Status == "BUSY", cause == causeBusy:
			return "busy"
		case d.Status == "CONGESTION", d.Status == "CHANUNAVAIL":
			return "unreachable"
		}
		if by := t.legs[x.Dial.By]; by != nil && slices.ContainsFunc(t.dialledBy(by), (*leg).answered) {
			return "answered_elsewhere"
		}
	}
	return "cancelled"
}
