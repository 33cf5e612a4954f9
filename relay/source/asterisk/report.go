package asterisk

import (
	"time"

	"callrelay/relay/source"
)

// reporter makes call events.
type reporter struct {
	source.Reporter
	folder string // of recordings, as Asterisk names it
}

// waiting raises what happens to a caller in a queue. It can happen again to
// the same caller, so that the stamp is part of the id.
func (r *reporter) waiting(name string, l *leg, queue, result string, at time.Time) {
	e := r.happening(name, l, at, at)
	e.Queue, e.QueueResult = queue, result
	r.Put(e, at)
}

// ringing raises what happens to a phone that is called.
func (r *reporter) ringing(name string, l *leg, o offer, result string, at time.Time) {
	e := r.happening(name, l, l.Dial.At, at)
	e.Queue, e.AgentID, e.AgentUsername, e.AgentDevice = o.Queue, o.Agent, o.Username, l.device()
	if result != "" {
		e.RingResult, e.RingDuration = result, source.Between(l.Dial.At, at)
	}
	r.Put(e, at)
}

// happening is an event of a leg, known by its stamp.
func (r *reporter) happening(name string, l *leg, stamp, at time.Time) source.Record {
	c := &l.call.Call
	r.Start(c)
	e := r.About(c, at)
	e.Event, e.ID = name, r.ID(c.ID, l.ID, name, source.Micros(stamp))
	return e
}

// segment raises what happens once in a segment, at the moment at.
func (r *reporter) segment(name string, c *call, s *segment, at time.Time) {
	r.Start(&c.Call)
	if s.Done && s.End.IsZero() {
		at = time.Time{} // it ended, nobody knows when
	}
	e := r.About(&c.Call, at)
	s.on(&e)
	if s.Done {
		r.recorded(&e, s)
		e.SegmentEnd, e.TermReason = source.Written(s.End), &s.Reason
		e.AgentDuration, e.Duration = source.Between(s.Start, s.End), source.Between(c.Start, s.End)
		if s.Held > 0 {
			e.HoldDuration = source.Seconds(s.Held)
		}
	}
	r.Put(e.As(name), at)
}

// on says of an event whose segment it is of.
func (s *segment) on(e *source.Record) {
	e.Queue, e.SegmentID, e.SegmentStart = s.Queue, s.ID, source.Written(s.Start)
	e.AgentID, e.AgentUsername, e.AgentDevice = s.Agent, s.Username, s.Device
}

// recorded adds the recordings of a segment that ended: before, they are not
// complete.
func (r *reporter) recorded(e *source.Record, s *segment) {
	var most *part
	for i := range s.Files {
		p := &s.Files[i]
		name := source.Below(r.folder, p.Name)
		if name == "" {
			continue
		}
		e.Recordings = append(e.Recordings, name)
		if most == nil || p.End.Sub(p.Start) > most.End.Sub(most.Start) {
			most, e.Recording = p, name
		}
	}
	if len(e.Recordings) < 2 {
		e.Recordings = nil
	}
	if most == nil {
		return
	}
	if most.Dual {
		e.Perspective = e.Recording
	}
	if most.Slice && most.To > most.From {
		e.RecordingStart, e.RecordingEnd = source.Seconds(most.From), source.Seconds(most.To)
	}
}
