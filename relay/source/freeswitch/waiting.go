package freeswitch

import (
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/freeswitch/esl"
)

// callcenter takes an event of mod_callcenter.
func (m *machine) callcenter(ev esl.Event, at time.Time) {
	session := ev.Get("CC-Member-Session-UUID")
	member := m.legs[session]
	if member == nil || m.calls[member.Call] == nil {
		return
	}
	c, queue, id := m.calls[member.Call], queueName(ev.Get("CC-Queue")), ev.Get("CC-Member-UUID")
	joined := seconds(ev.Get("CC-Member-Joined-Time"))
	switch action := ev.Get("CC-Action"); action {
	case "member-queue-start":
		if c.Visit != nil && c.Visit.Member == id {
			return // his leg has said so
		}
		m.conclude(c, ev)
		m.former(c.Visit == nil, ev, at)
		m.enter(c, queue, id, at)
	case "bridge-agent-start":
		m.waits(c, queue, id, joined)
		m.answered(c, ev, queue, at)
	case "member-queue-end":
		if ev.Get("CC-Cause") != "Cancel" {
			return
		}
		m.waits(c, queue, id, joined)
		v := c.Visit
		if !v.open() || v.Member != id {
			return
		}
		result := queueResults[ev.Get("CC-Cancel-Reason")]
		if result == source.LeftHangup && member.Hung.IsZero() {
			result = "" // moved out of the queue: the call goes on
		}
		m.leave(c, result, at)
	}
}

// enter takes a caller into a queue.
func (r *reporter) enter(c *call, queue, member string, at time.Time) {
	c.Visits++
	v := &stay{N: c.Visits, Queue: queue, Member: member, Joined: source.Later(at, c.Start)}
	if c.Visit != nil {
		v.After = c.Visit.Left
	}
	c.Visit = v
	c.Wanted = c.Wanted || r.Wants(queue, &c.Call)
	if c.Direction == "" {
		c.Direction = source.Internal
	}
	r.Start(&c.Call)
	r.queued(c, "queue_enter", "", at)
}

// waits takes a caller into the queue that an event names, if nobody heard him
// enter it.
func (m *registry) waits(c *call, queue, member string, joined time.Time) {
	if c == nil || queue == "" || c.Visit != nil && (c.Visit.Member == member || !c.Visit.within(joined)) {
		return
	}
	if c.Visit.open() {
		m.gap.Abandon++
	}
	m.enter(c, queue, member, joined)
	c.Visit.After = source.Later(c.Visit.After, joined) // to the second: what ended in it may be the stay before
}

// waitsBy does so by an event of the caller's leg, or of his agent's.
func (m *registry) waitsBy(c *call, ev esl.Event) {
	m.waits(c, queueName(ev.Get("variable_cc_queue")), ev.Get("variable_cc_member_uuid"), seconds(ev.Get("variable_cc_queue_joined_epoch")))
}

// resolve takes what a caller's leg says of his last stay in a queue, and of
// the end of the one before, if nobody heard of it.
func (m *machine) resolve(c *call, ev esl.Event) {
	if ev.Get("variable_cc_side") != "member" {
		return
	}
	before := c.Visit
	if before.open() && before.Member != ev.Get("variable_cc_member_uuid") {
		m.conclude(c, ev)
	}
	m.waitsBy(c, ev)
	if c.Visit != nil {
		m.former(before == nil, ev, c.Visit.Joined)
	}
	m.conclude(c, ev)
}

// former counts the stay before the first one that was heard of.
func (m *registry) former(first bool, ev esl.Event, joined time.Time) {
	canceled, answered := seconds(ev.Get("variable_cc_queue_canceled_epoch")), seconds(ev.Get("variable_cc_queue_answered_epoch"))
	if first && (!canceled.IsZero() && !canceled.After(joined) || !answered.IsZero() && answered.Before(joined.Truncate(time.Second))) {
		m.gap.Abandon++
	}
}

// conclude ends a stay that nobody heard the end of by what the caller's leg
// says. These moments are cut to the second, and stay there in the next queue.
func (m *machine) conclude(c *call, ev esl.Event) {
	v := c.Visit
	of := func(name string) (at time.Time, ok bool) {
		at = seconds(ev.Get(name))
		return at, !at.IsZero() && v.within(at) && at.After(v.After)
	}
	if !v.open() {
		return
	}
	result := queueResults[ev.Get("variable_cc_cancel_reason")]
	answered, served := of("variable_cc_queue_answered_epoch")
	canceled, left := of("variable_cc_queue_canceled_epoch")
	switch {
	case served && !(left && canceled.Before(answered)):
		m.served(c, answered)
		m.late[ev.Get("variable_cc_agent")]++
	case left && c.End.IsZero():
		m.leave(c, result, canceled)
	case left:
		v.Result = result
	}
}

// leave lets a caller go whom nobody answered.
func (r *reporter) leave(c *call, result string, at time.Time) {
	c.Visit.Left, c.Visit.Result = source.Later(at, c.Visit.Joined), result
	r.queued(c, "queue_abandon", result, at)
}

// answered joins a caller with the agent whom the queue found.
func (m *machine) answered(c *call, ev esl.Event, queue string, at time.Time) {
	agent := ev.Get("CC-Agent")
	if l := m.legs[ev.Get("CC-Agent-UUID")]; l != nil {
		l.Queue, l.Agent, l.Member = queue, agent, ev.Get("CC-Member-Session-UUID")
		if own := m.calls[l.ID]; l.Owner && own != nil {
			own.Login, l.Standby = true, true // whatever its type says
		}
	}
	m.heard[agent]++
	if v := c.Visit; v != nil && v.Member == ev.Get("CC-Member-UUID") {
		if v.Answered {
			m.late[agent]-- // it was told by another sign
		}
		m.served(c, at)
	}
}

// served notes that a caller who waits has an agent, and reports whether that
// is news. What mod_callcenter says of it comes before they are bridged, or not
// at all.
func (r *reporter) served(c *call, at time.Time) bool {
	v := c.Visit
	if !v.open() || !v.within(at) {
		return false
	}
	v.Left, v.Answered = source.Later(at, v.Joined), true
	r.queued(c, "dequeue", "", at)
	return true
}
