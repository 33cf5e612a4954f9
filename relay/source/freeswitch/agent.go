package freeswitch

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"callrelay/relay/source"
)

// agentsLeg is the document of a leg that is an agent's.
type agentsLeg struct{ *document }

// call is the leg that the agent was bridged with last: the caller's, also when
// a queue had called for somebody who asked first and then passed the caller
// on. The module's call_uuid is not: a transfer rewrites it.
func (d agentsLeg) call() string {
	last := d.variable("last_bridge_to")
	if d.variable("originate_disposition") != "" && d.originated(last) {
		last = "" // whom the agent consulted
	}
	return cmp.Or(last, d.variable("cc_member_session_uuid", "originating_leg_uuid", "originator", "last_bridge_to"), d.uuid())
}

// originated reports whether the leg called another one.
func (d agentsLeg) originated(uuid string) bool {
	return slices.ContainsFunc(d.Callflow, func(f flow) bool {
		return slices.ContainsFunc(f.Profile.Originatee.Profiles, func(p profile) bool { return string(p.UUID) == uuid })
	})
}

// talks is when agent and caller began to talk; zero: they never did.
// The variables know the last bridge only. The first one is when a queue's leg
// got its caller, and when a phone that consulted another one answered.
func (d agentsLeg) talks() time.Time {
	bridged := d.stamp("bridge_uepoch", "bridged_time")
	if bridged.IsZero() {
		return bridged
	}
	if d.side() == "agent" {
		for _, f := range d.Callflow {
			if t := micros(f.Times["profile_created_time"]); len(f.Profile.Originator.Profiles) > 0 && !t.IsZero() {
				return t
			}
		}
	}
	if d.variable("originate_disposition") != "" {
		if t := d.stamp("answer_uepoch", "answered_time"); !t.IsZero() {
			return t
		}
	}
	return bridged
}

// held is how long the agent had the caller wait.
func (d agentsLeg) held() time.Duration {
	n, _ := strconv.ParseInt(d.variable("hold_accum_usec"), 10, 64)
	return time.Duration(n) * time.Microsecond
}

// caller is who called an agent's leg, the number they had dialled first, and
// which way the call goes: from the newest profile that knows the caller.
func (d agentsLeg) caller(uii string) (ani, dnis, direction string) {
	for _, f := range d.Callflow {
		for _, p := range f.Profile.Originatee.Profiles {
			if string(p.UUID) == uii {
				return string(cmp.Or(p.ANI, p.CallerID)), string(cmp.Or(p.RDNIS, p.Dialled)), d.directionFrom(p)
			}
		}
		if from := f.Profile.Originator.Profiles; len(from) > 0 {
			p := from[len(from)-1]
			return string(cmp.Or(p.CallerID, p.ANI, f.Profile.CallerID)), string(cmp.Or(p.RDNIS, p.Dialled)), d.directionFrom(p)
		}
	}
	return string(d.first().CallerID), "", ""
}

// directionFrom distinguishes a phone from a trunk by where its channel is
// registered: at the profile that the agent's own phone is at.
func (d agentsLeg) directionFrom(p profile) string {
	own := sipProfile(d.variable("channel_name"))
	if own != "" && own == sipProfile(string(p.Channel)) {
		return source.Internal
	}
	return source.Inbound
}
