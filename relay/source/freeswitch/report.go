package freeswitch

import (
	"cmp"
	"fmt"
	"time"

	"callrelay/relay/source"
)

// reporter makes call events of calls and legs, whichever way these were
// learnt.
type reporter struct {
	source.Reporter
	files Converter
	names map[string]string // of who has a phone, by the phone
}

// ended raises what ends a call, with its result.
func (r *reporter) ended(c *call) {
	if !c.Wanted {
		return
	}
	e, queue := r.About(&c.Call, c.End), ""
	e.CallResult, e.Recording = c.result(), c.Recording
	if v := c.Visit; v != nil {
		queue = v.Queue
		e.EnqueueTime, e.DequeueTime = source.Written(v.Joined), source.Written(v.Left)
	}
	r.End(&c.Call, e, queue, c.End)
}

// result is what became of the call.
func (c *call) result() string {
	switch v := c.Visit; {
	case v != nil && !v.Answered && !c.Talked.After(v.Joined):
		if v.Result == source.LeftHangup {
			return source.Abandoned
		}
		return source.Deflected
	case v != nil && v.Answered, !c.Talked.IsZero():
		return source.Connected
	case c.Doubt:
		return source.Unknown
	}
	return unanswered(c.Cause)
}

// queued raises what happens to a caller in a queue, known by how often he has
// been in one.
func (r *reporter) queued(c *call, name, result string, at time.Time) {
	v := c.Visit
	if !r.Wants(v.Queue, &c.Call) {
		return
	}
	e := r.About(&c.Call, at)
	e.Queue, e.QueueResult, e.EnqueueTime, e.DequeueTime = v.Queue, result, source.Written(v.Joined), source.Written(v.Left)
	r.Put(e.As(name, fmt.Sprint(v.N)), at)
}

// ringing raises that an agent's phone rings, or rings no more.
func (r *reporter) ringing(name string, c *call, l *leg, result string, at time.Time) {
	e, s := r.About(&c.Call, at), r.whose(l, l.Queue, l.Agent)
	e.Of(&s)
	if result != "" {
		e.RingResult, e.RingDuration = result, source.Between(l.Created, at)
	}
	r.Put(e.As(name), at)
}

// whose says whose part of a call a leg is, as the queue names the agent if one
// called.
func (r *reporter) whose(l *leg, queue, agent string) source.Segment {
	s := source.Segment{ID: l.ID, Queue: queue, Agent: cmp.Or(agent, l.Device), Username: r.names[l.Device], Device: l.Device}
	if l.Done > 0 { // it served a caller before
		s.ID = fmt.Sprintf("%s-%d", l.ID, l.Done+1)
	}
	return s
}

// segment raises that an agent's part of a call begins, or is over for a
// reason. owner is the caller's leg, if it is there: what was recorded on it
// has the agent's part, too.
func (r *reporter) segment(name string, c *call, l, owner *leg, reason string) {
	s := l.Segment
	if !r.Wants(s.Queue, &c.Call) {
		return
	}
	e := r.whose(l, s.Queue, s.Agent)
	e.Start, e.End, e.Held, e.Done, e.Reason = s.Start, s.End, s.Held, name != "agent_connect", reason
	if !e.Done {
		r.Segment(name, &c.Call, &e, s.Start)
		return
	}
	if v := c.Visit; s.Queue != "" && v != nil {
		e.Joined, e.Left = v.Joined, v.Left
	}
	if e.Files = l.recorded(s, !l.Hung.IsZero()); len(e.Files) == 0 && owner != nil {
		e.Files = owner.recorded(s, l == owner && !l.Hung.IsZero())
	}
	r.Segment(name, &c.Call, &e, s.End)
	if reason == source.ByTransfer {
		r.Segment("transfer_termination", &c.Call, &e, s.End)
	}
}
