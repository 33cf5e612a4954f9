package freeswitch

import (
	"strings"
	"time"
)

// visit is one time that the caller was in a queue.
type visit struct {
	Queue        string
	Joined, Left time.Time // Left is zero when it is not known
	Answered     bool
	Result       string // why it was left unanswered; empty: not known
}

// visits are the times the caller was in a queue, oldest first. The variables
// know the last one only; the log of the dialplan knows when each began.
func (d *document) visits() []visit {
	var all []visit
	for i, a := range d.Log.Applications {
		if a.Name != "callcenter" {
			continue
		}
		v := visit{Queue: queueName(strings.TrimSpace(string(a.Data))), Joined: later(micros(a.Stamp), d.start())}
		v.Left = d.bridgedWithin(v.Joined, d.nextStep(i+1))
		v.Answered = !v.Left.IsZero()
		all = append(all, v)
	}
	last := d.lastVisit()
	switch n := len(all); {
	case last.Queue == "":
		return nil // no queue took the caller in
	case n == 0:
		return []visit{last}
	default:
		all[n-1].Answered, all[n-1].Result = last.Answered, last.Result
		if !all[n-1].Answered || all[n-1].Left.IsZero() {
			all[n-1].Left = later(last.Left, all[n-1].Joined)
		}
		all[n-1].Queue = last.Queue
		if last.Answered {
			d.explain(all[:n-1])
		}
	}
	return all
}

// lastVisit is what the variables say.
func (d *document) lastVisit() visit {
	v := visit{Queue: queueName(d.variable("cc_queue")), Answered: d.variable("cc_cause") != "cancel"}
	joined := seconds(d.variable("cc_queue_joined_epoch"))
	if joined.IsZero() {
		return visit{}
	}
	v.Joined = later(joined, d.start())
	if v.Answered {
		v.Left = later(seconds(d.variable("cc_queue_answered_epoch")), v.Joined)
		return v
	}
	v.Left = later(seconds(d.variable("cc_queue_canceled_epoch")), v.Joined)
	v.Result = queueResults[d.variable("cc_cancel_reason")]
	if end := d.end(); v.Result == "hangup" && end.Sub(v.Left) >= 0 {
		if end.Sub(v.Left) < 2*time.Second {
			v.Left = end
		} else {
			v.Result = "" // moved out of the queue: the call went on
		}
	}
	return v
}

// explain gives the reason of the last cancel to the earlier visit it was of.
func (d *document) explain(earlier []visit) {
	at := seconds(d.variable("cc_queue_canceled_epoch"))
	for i := len(earlier) - 1; i >= 0 && !at.IsZero(); i-- {
		if v := &earlier[i]; !v.Answered && !at.Before(v.Joined.Truncate(time.Second)) {
			v.Left = later(at, v.Joined)
			if v.Result = queueResults[d.variable("cc_cancel_reason")]; v.Result == "hangup" {
				v.Result = ""
			}
			return
		}
	}
}

// nextStep is when the dialplan went on after a queue; zero: it did not. What
// is played to a caller in between is no step.
func (d *document) nextStep(from int) time.Time {
	for _, a := range d.Log.Applications[from:] {
		if a.Name == "callcenter" || a.Name == "bridge" {
			return micros(a.Stamp)
		}
	}
	return time.Time{}
}

// bridgedWithin is when the leg was bridged first between two moments.
func (d *document) bridgedWithin(from, to time.Time) time.Time {
	for i := range d.Callflow {
		t := micros(d.Callflow[len(d.Callflow)-1-i].Times["bridged_time"])
		if t.After(from) && (to.IsZero() || t.Before(to)) {
			return t
		}
	}
	return time.Time{}
}
