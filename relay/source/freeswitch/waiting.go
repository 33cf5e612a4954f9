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
	member.stale = false
	c, queue := m.calls[member.Call], queueName(ev.Get("CC-Queue"))
	switch ev.Get("CC-Action") {
	case "member-queue-start":
		m.enter(c, queue, ev.Get("CC-Member-UUID"), at)
	case "bridge-agent-start":
		m.answered(c, ev, queue, at)
	case "member-queue-end":
		v := c.Visit
		if ev.Get("CC-Cause") != "Cancel" || v == nil || v.Member != ev.Get("CC-Member-UUID") || !v.Left.IsZero() {
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
func (m *registry) enter(c *call, queue, member string, at time.Time) {
	c.Visits++
	c.Visit = &stay{N: c.Visits, Queue: queue, Member: member, Joined: source.Later(at, c.Start)}
	c.Wanted = c.Wanted || m.Wants(queue, &c.Call)
	if c.Direction == "" {
		c.Direction = source.Internal
	}
	m.Start(&c.Call)
	m.queued(c, "queue_enter", "", at)
}

// waits takes a caller into the queue that an event of a leg names, if nobody
// heard him enter it.
func (m *registry) waits(c *call, ev esl.Event) {
	member, joined := ev.Get("variable_cc_member_uuid"), seconds(ev.Get("variable_cc_queue_joined_epoch"))
	if c == nil || c.Visit != nil && (c.Visit.Member == member || joined.Before(c.Visit.Joined.Truncate(time.Second))) {
		return
	}
	m.enter(c, queueName(ev.Get("variable_cc_queue")), member, joined)
}

// leave lets a caller go whom nobody answered.
func (m *registry) leave(c *call, result string, at time.Time) {
	c.Visit.Left, c.Visit.Result = source.Later(at, c.Visit.Joined), result
	m.queued(c, "queue_abandon", result, at)
}

// answered joins a caller with the agent whom the queue found.
func (m *machine) answered(c *call, ev esl.Event, queue string, at time.Time) {
	agent := ev.Get("CC-Agent")
	if l := m.legs[ev.Get("CC-Agent-UUID")]; l != nil {
		l.Queue, l.Agent, l.Member = queue, agent, ev.Get("CC-Member-Session-UUID")
		if own := m.calls[l.ID]; l.Owner && own != nil {
			own.Login, l.Standby = true, true
		}
	}
	if v := c.Visit; v != nil && v.Member == ev.Get("CC-Member-UUID") {
		m.served(c, agent, at)
	} else {
		m.heard[agent]++
	}
}

// served notes that a caller who waits has an agent. What mod_callcenter says
// of it comes before they are bridged, or not at all.
func (m *machine) served(c *call, agent string, at time.Time) {
	if v := c.Visit; v != nil && v.Left.IsZero() {
		v.Left, v.Answered = source.Later(at, v.Joined), true
		m.heard[agent]++
		m.queued(c, "dequeue", "", at)
	}
}
