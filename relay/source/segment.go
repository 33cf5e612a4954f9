package source

import "time"

// Segment is one agent's part of a call.
type Segment struct {
	ID           string
	Queue        string
	Agent        string // as the queue names it, else the device
	Username     string
	Device       string
	Joined, Left time.Time // the queue, by the caller; zero: not known
	Start, End   time.Time // they hear each other; zero: not known, or not yet
	Held         time.Duration
	Done         bool // it is over
	Reason       string
	Files        []Part // what was recorded of it, oldest first, once it is done
}

// Part is what a recording has of a segment.
type Part struct {
	Name       string // below the folder of recordings
	Dual       bool   // agent and caller are on a channel each
	Start, End time.Time
	From, To   time.Duration // where in the file that is; both zero: all of it, To zero: to its end
}

// Segment raises what happens once in a segment, at a moment; zero: not known.
func (r *Reporter) Segment(name string, c *Call, s *Segment, at time.Time) {
	r.Start(c)
	e := r.About(c, at)
	e.Of(s)
	e.EnqueueTime, e.DequeueTime = Written(s.Joined), Written(s.Left)
	if s.Done {
		e.Duration, e.AgentDuration = Between(c.Start, s.End), Between(s.Start, s.End)
		e.SegmentEnd, e.TermReason = Written(s.End), &s.Reason
		if s.Held > 0 {
			e.HoldDuration = Seconds(s.Held)
		}
		e.recorded(s.Files)
	}
	r.Put(e.As(name), at)
}

// Of says of a record whose segment it is of.
func (r *Record) Of(s *Segment) {
	r.Queue, r.SegmentID, r.SegmentStart = s.Queue, s.ID, Written(s.Start)
	r.AgentID, r.AgentUsername, r.AgentDevice = s.Agent, s.Username, s.Device
}

// recorded adds the recordings of a segment that ended: before, they are not
// complete.
func (r *Record) recorded(parts []Part) {
	var most Part
	for i, p := range parts {
		r.Recordings = append(r.Recordings, p.Name)
		if i == 0 || p.End.Sub(p.Start) > most.End.Sub(most.Start) {
			most = p
		}
	}
	if r.Recording = most.Name; len(parts) < 2 {
		r.Recordings = nil
	}
	if most.Dual {
		r.Perspective = most.Name
	}
	if most.From > 0 || most.To > 0 {
		r.RecordingStart = Seconds(most.From)
	}
	if most.To > 0 {
		r.RecordingEnd = Seconds(most.To)
	}
}
