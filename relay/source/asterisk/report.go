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
