package freeswitch

import (
	"cmp"
	"fmt"
	"time"

	"callrelay/relay/source"
)

// minConsult is how long a recording must run before its segment for the start
// of it to be cut off: before an attended transfer the agents talk in private.
const minConsult = time.Second

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
	e := r.about(c, l, l.Queue, l.Agent, at)
	if result != "" {
		e.RingResult, e.RingDuration = result, source.Between(l.Created, at)
	}
	r.Put(e.As(name), at)
}

// about is what every event of an agent's part in a call says.
func (r *reporter) about(c *call, l *leg, queue, agent string, at time.Time) source.Record {
	e := r.About(&c.Call, at)
	e.Queue, e.SegmentID, e.AgentDevice = queue, l.ID, l.Device
	e.AgentID, e.AgentUsername = cmp.Or(agent, l.Device), r.names[l.Device]
	if n := l.Done[c.ID]; n > 0 { // it served the same caller before
		e.SegmentID = fmt.Sprintf("%s-%d", l.ID, n+1)
	}
	return e
}

// connected raises that an agent talks.
func (r *reporter) connected(c *call, l *leg, at time.Time) {
	s := l.Segment
	if !r.Wants(s.Queue, &c.Call) {
		return
	}
	e := r.about(c, l, s.Queue, s.Agent, at)
	e.SegmentStart = source.Written(s.Start)
	r.Put(e.As("agent_connect"), at)
}

// segment raises that an agent's part of a call is over. owner is the caller's
// leg, if it is there: what was recorded on it has the agent's part, too.
func (r *reporter) segment(c *call, l, owner *leg, reason string) {
	s := l.Segment
	if !r.Wants(s.Queue, &c.Call) {
		return
	}
	e := r.about(c, l, s.Queue, s.Agent, s.End)
	e.SegmentStart, e.SegmentEnd, e.AgentDuration = source.Written(s.Start), source.Written(s.End), source.Between(s.Start, s.End)
	e.TermReason = &reason
	if s.Held > 0 {
		e.HoldDuration = source.Seconds(s.Held)
	}
	if s.Queue != "" && c.Visit != nil {
		e.EnqueueTime, e.DequeueTime = source.Written(c.Visit.Joined), source.Written(c.Visit.Left)
	}
	r.recording(&e, l, owner)
	r.Put(e.As("agent_termination"), s.End)
	if reason == source.ByTransfer {
		r.Put(e.As("transfer_termination"), s.End)
	}
}

// recording names the file of a segment, and where in it the segment is when
// there is more in it.
func (r *reporter) recording(e *source.Record, l, owner *leg) {
	s := l.Segment
	names, most := l.recorded(s)
	if most == nil && owner != nil {
		names, most = owner.recorded(s)
	}
	if most == nil {
		return
	}
	e.Recording = most.Name
	if len(names) > 1 {
		e.Recordings = names
	}
	if s.Start.Sub(most.Start) >= minConsult {
		e.RecordingStart = source.Between(most.Start, s.Start)
	}
	if !s.End.IsZero() && (most.Stop.IsZero() && (l.Hung.IsZero() || l != owner && len(l.Files) == 0) || most.Stop.Sub(s.End) >= minConsult) {
		e.RecordingEnd = source.Between(most.Start, s.End)
		e.RecordingStart = cmp.Or(e.RecordingStart, source.Between(most.Start, source.Later(s.Start, most.Start)))
	}
}
