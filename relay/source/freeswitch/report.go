package freeswitch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
)

type output = source.Event

// reporter makes call events.
type reporter struct {
	source  string
	queues  []string // only these; empty: all
	files   Converter
	names   map[string]string // of who has a phone, by the phone
	out     []output
	missed  int    // events that could not be turned
	problem string // why the last of them
}

func (r *reporter) raise(name string, at time.Time, event any) {
	body, err := json.Marshal(event)
	if err != nil {
		r.miss("%s: %v", name, err)
		return
	}
	r.out = append(r.out, output{Name: name, Body: body, At: at})
}

func (r *reporter) put(e record, at time.Time) { r.raise(e.Event, at, e) }

// miss counts what could not be turned.
func (r *reporter) miss(format string, args ...any) {
	r.missed++
	r.problem = fmt.Sprintf(format, args...)
}

// wantsQueue reports whether the source takes the events of a queue.
func (r *reporter) wantsQueue(queue string) bool {
	return len(r.queues) == 0 || slices.ContainsFunc(r.queues, func(q string) bool { return queueName(q) == queue })
}

// wants reports whether the source takes what happens in a call: in one of its
// queues, or outside any queue if the call was in one of them.
func (r *reporter) wants(queue string, c *call) bool {
	if queue == "" {
		return c.Wanted
	}
	return r.wantsQueue(queue)
}

// about is what every event of a call says.
func (r *reporter) about(c *call, at time.Time) record {
	return record{
		Source: r.source, UII: c.ID, Direction: c.Direction, ANI: c.ANI, DNIS: c.DNIS,
		CallStart: written(c.Start), Duration: between(c.Start, at),
	}
}

// start raises call_start once, as soon as the call is known to be wanted.
func (r *reporter) start(c *call) {
	if c.Started || !c.Wanted {
		return
	}
	c.Started = true
	c.Direction = cmp.Or(c.Direction, internal)
	r.put(r.about(c, time.Time{}).as("call_start"), c.Start)
}

// ended raises what ends a call, with its result.
func (r *reporter) ended(c *call) {
	if !c.Wanted {
		return
	}
	e := r.about(c, c.End)
	e.CallResult = c.result()
	queue := ""
	if v := c.Visit; v != nil {
		queue = v.Queue
		e.EnqueueTime, e.DequeueTime = written(v.Joined), written(v.Left)
	}
	if c.Direction == inbound && e.CallResult != resultConnected && !c.Doubt {
		e.Queue = queue
		r.put(e.missed(c.Rang), c.End)
		e.Queue = ""
	}
	r.put(e.as("call_end"), c.End)
	e.Queue = queue
	r.put(e.as("post_call"), c.End)
}

// result is what became of the call.
func (c *call) result() string {
	switch v := c.Visit; {
	case v != nil && !v.Answered && !c.Talked.After(v.Joined):
		return leftQueue(v.Result)
	case v != nil && v.Answered, !c.Talked.IsZero():
		return resultConnected
	case c.Doubt:
		return resultUnknown
	}
	return unanswered(c.Cause)
}

// queued raises what happens to a caller in a queue.
func (r *reporter) queued(c *call, name, result string, at time.Time) {
	v := c.Visit
	if !r.wantsQueue(v.Queue) {
		return
	}
	e := r.about(c, at)
	e.Queue, e.QueueResult, e.EnqueueTime, e.DequeueTime = v.Queue, result, written(v.Joined), written(v.Left)
	r.put(e.visit(name, v.N), at)
}

// ringing raises that an agent's phone rings, or rings no more.
func (r *reporter) ringing(name string, c *call, l *leg, result string, at time.Time) {
	e := r.about(c, at)
	r.agent(&e, l, l.Queue, l.Agent)
	if result != "" {
		e.RingResult, e.RingDuration = result, between(l.Created, at)
	}
	r.put(e.as(name), at)
}

func (r *reporter) agent(e *record, l *leg, queue, agent string) {
	e.Queue, e.SegmentID, e.AgentDevice = queue, l.ID, l.Device
	e.AgentID, e.AgentUsername = cmp.Or(agent, l.Device), r.names[l.Device]
	if n := l.Done[e.UII]; n > 0 { // it served the same caller before
		e.SegmentID = fmt.Sprintf("%s-%d", l.ID, n+1)
	}
}

// connected raises that an agent talks.
func (r *reporter) connected(c *call, l *leg, at time.Time) {
	s := l.Segment
	if !r.wants(s.Queue, c) {
		return
	}
	e := r.about(c, at)
	r.agent(&e, l, s.Queue, s.Agent)
	e.SegmentStart = written(s.Start)
	r.put(e.as("agent_connect"), at)
}

// segment raises that an agent's part of a call is over. owner is the caller's
// leg, if it is there: what was recorded on it has the agent's part, too.
func (r *reporter) segment(c *call, l, owner *leg, reason string) {
	s := l.Segment
	if !r.wants(s.Queue, c) {
		return
	}
	e := r.about(c, s.End)
	r.agent(&e, l, s.Queue, s.Agent)
	e.SegmentStart, e.SegmentEnd, e.AgentDuration = written(s.Start), written(s.End), between(s.Start, s.End)
	e.TermReason = &reason
	if s.Held > 0 {
		e.HoldDuration = inSeconds(s.Held)
	}
	if s.Queue != "" && c.Visit != nil {
		e.EnqueueTime, e.DequeueTime = written(c.Visit.Joined), written(c.Visit.Left)
	}
	r.recording(&e, l, owner)
	r.put(e.as("agent_termination"), s.End)
	if reason == reasonTransfer {
		r.put(e.as("transfer_termination"), s.End)
	}
}

// recording names the file of a segment, and where in it the segment is when
// there is more in it: before an attended transfer the agents talk in private.
func (r *reporter) recording(e *record, l, owner *leg) {
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
		e.RecordingStart = between(most.Start, s.Start)
	}
	if !s.End.IsZero() && (most.Stop.IsZero() && (l.Hung.IsZero() || l != owner && len(l.Files) == 0) || most.Stop.Sub(s.End) >= minConsult) {
		e.RecordingEnd = between(most.Start, s.End)
		e.RecordingStart = cmp.Or(e.RecordingStart, between(most.Start, later(s.Start, most.Start)))
	}
}

// report raises the end of a leg's segment.
func (m *machine) report(l *leg, reason string) {
	s := l.Segment
	if c := m.calls[s.Call]; c != nil {
		c.Segments--
		m.segment(c, l, m.legs[c.ID], reason)
	}
	if l.Done == nil {
		l.Done = map[string]int{}
	}
	if len(l.Done) < 1000 {
		l.Done[s.Call]++
	}
	l.Segment = nil
}

// gap says that events may be missing, and what is known of them.
type gap struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	Source  string `json:"source"`
	Reason  string `json:"reason"`         // why nothing was heard
	From    string `json:"from,omitempty"` // empty: it is not known since when
	To      string `json:"to"`
	Count   int    `json:"count"`             // the events known to be missing or incomplete: the sum of those below
	Ended   int    `json:"segments_ended"`    // known before, over now: their end is not known
	Missing int    `json:"segments_missing"`  // began and ended unseen, as the agents' counters say
	Dropped int    `json:"events_dropped"`    // turned, but the relay took none and the spool was full
	Checked bool   `json:"channels_compared"` // whether FreeSWITCH said which channels are alive
}

func (r *reporter) gap(g gap, from, to time.Time) {
	g.Event, g.Source, g.From, g.To = callevent.Gap, r.source, written(from), written(to)
	g.Count = g.Ended + g.Missing + g.Dropped
	g.ID = strings.Join([]string{r.source, g.Event, strings.ReplaceAll(g.Reason, " ", "-"), g.From + "-" + g.To}, "/")
	r.raise(g.Event, to, g)
}
