package freeswitch

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"callrelay/relay/source"
)

// callersLeg is the document of a leg that is a caller's.
type callersLeg struct{ *document }

// visits are the times the caller was in a queue, oldest first. The variables
// know the last one only; the log of the dialplan knows when each began.
func (d callersLeg) visits() []stay {
	var all []stay
	for i, a := range d.Log.Applications {
		if a.Name != "callcenter" {
			continue
		}
		v := stay{Queue: queueName(strings.TrimSpace(string(a.Data))), Joined: source.Later(micros(a.Stamp), d.start())}
		v.Left = d.bridgedWithin(v.Joined, d.nextStep(i+1))
		v.Answered = !v.Left.IsZero()
		all = append(all, v)
	}
	last := d.lastVisit()
	switch n := len(all); {
	case d.side() != "member": // no queue took the caller in
		return nil
	case n == 0:
		return []stay{last}
	default:
		all[n-1].Answered, all[n-1].Result = last.Answered, last.Result
		if !all[n-1].Answered || all[n-1].Left.IsZero() {
			all[n-1].Left = source.Later(last.Left, all[n-1].Joined)
		}
		all[n-1].Queue = cmp.Or(last.Queue, all[n-1].Queue)
		if last.Answered {
			d.explain(all[:n-1])
		}
	}
	return all
}

// lastVisit is what the variables say.
func (d callersLeg) lastVisit() stay {
	answered := seconds(d.variable("cc_queue_answered_epoch"))
	v := stay{Queue: queueName(d.variable("cc_queue")), Joined: source.Later(seconds(d.variable("cc_queue_joined_epoch")), d.start())}
	if cause := d.variable("cc_cause"); cause == "answered" || cause == "" && !answered.IsZero() {
		v.Answered, v.Left = true, source.Later(answered, v.Joined)
		return v
	}
	v.Left = source.Later(seconds(d.variable("cc_queue_canceled_epoch")), v.Joined)
	v.Result = queueResults[d.variable("cc_cancel_reason")]
	if end := d.end(); v.Result == source.LeftHangup && end.Sub(v.Left) >= 0 {
		if end.Sub(v.Left) < 2*time.Second {
			v.Left = end
		} else {
			v.Result = "" // moved out of the queue: the call went on
		}
	}
	return v
}

// explain gives the reason of the last cancel to the earlier visit it was of.
func (d callersLeg) explain(earlier []stay) {
	at := seconds(d.variable("cc_queue_canceled_epoch"))
	for i := len(earlier) - 1; i >= 0 && !at.IsZero(); i-- {
		if v := &earlier[i]; !v.Answered && !at.Before(v.Joined.Truncate(time.Second)) {
			v.Left = source.Later(at, v.Joined)
			if v.Result = queueResults[d.variable("cc_cancel_reason")]; v.Result == source.LeftHangup {
				v.Result = ""
			}
			return
		}
	}
}

// nextStep is when the dialplan went on after a queue; zero: it did not. What
// is played to a caller in between is no step.
func (d callersLeg) nextStep(from int) time.Time {
	for _, a := range d.Log.Applications[from:] {
		if a.Name == "callcenter" || a.Name == "bridge" {
			return micros(a.Stamp)
		}
	}
	return time.Time{}
}

// bridgedWithin is when the leg was bridged first between two moments.
func (d callersLeg) bridgedWithin(from, to time.Time) time.Time {
	for i := range d.Callflow {
		t := micros(d.Callflow[len(d.Callflow)-1-i].Times["bridged_time"])
		if t.After(from) && (to.IsZero() || t.Before(to)) {
			return t
		}
	}
	return time.Time{}
}

// rang are the phones that a call rang at without a queue.
func (d callersLeg) rang() []string {
	phones := []string{}
	for _, f := range d.Callflow {
		for _, p := range f.Profile.Originatee.Profiles {
			if name := string(p.Dialled); name != "" && !loopback(string(p.Channel)) && !slices.Contains(phones, name) {
				phones = append(phones, name)
			}
		}
	}
	return phones
}

// direction is which way the call of a caller's leg goes.
func (d callersLeg) direction() string {
	switch {
	case d.phone() == "":
		return source.Inbound
	case d.side() == "" && d.variable("originate_disposition", "last_bridge_to") != "" &&
		(d.variable("dialed_user") == "" || d.variable("direction") == "outbound"):
		return source.Outbound
	}
	return source.Internal
}

// talked is when the caller's leg was bridged last to one that is no plumbing:
// behind a loopback there may be a mailbox.
func (d callersLeg) talked() time.Time {
	if d.stamp("", "bridged_time").IsZero() { // no profile says it
		return micros(d.Variables["bridge_uepoch"])
	}
	for _, f := range d.Callflow {
		peers := slices.Concat(f.Profile.Originatee.Profiles, f.Profile.Originator.Profiles)
		last := text(d.variable("last_bridge_to"))
		plumbing := slices.ContainsFunc(peers, func(p profile) bool { return loopback(string(p.Channel)) && (p.UUID == last || len(peers) == 1) })
		if t := micros(f.Times["bridged_time"]); !t.IsZero() && !plumbing {
			return t
		}
	}
	return time.Time{}
}
