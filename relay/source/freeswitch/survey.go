package freeswitch

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/freeswitch/esl"
)

// dumped is what is kept of a channel that was asked for.
var dumped = []string{
	"Unique-ID", "Channel-Name", "Call-Direction", "Other-Type", "Other-Leg-Unique-ID",
	"Caller-Caller-ID-Number", "Caller-Destination-Number", "Caller-RDNIS", "Caller-Channel-Created-Time", "Caller-Channel-Bridged-Time",
	"Event-Date-Timestamp", "variable_other_loopback_leg_uuid", "variable_originating_leg_uuid", "variable_user_name", "variable_presence_id", "variable_dialed_user",
	"variable_relay_agent", "variable_relay_agent_username", "variable_effective_caller_id_name", "variable_relay_recording", "variable_bridge_uuid",
	"variable_cc_side", "variable_cc_queue", "variable_cc_agent", "variable_cc_agent_type", "variable_cc_member_uuid", "variable_cc_member_session_uuid",
	"variable_cc_queue_joined_epoch", "variable_cc_cancel_reason", "variable_cc_queue_answered_epoch", "variable_cc_queue_canceled_epoch", "variable_session_id", "Core-UUID",
}

// What a channel says of whom it is bridged with, and since when.
const (
	peer    = "variable_bridge_uuid"
	bridged = "Caller-Channel-Bridged-Time"
)

// maxHeld is how many bytes of events wait for the answers at most.
const maxHeld = 32 << 20

// survey is what FreeSWITCH says goes on, after a time when nothing was heard.
// What is heard meanwhile waits for it: the answers say what was before, and
// what is heard what came after.
type survey struct {
	*machine
	listed bool
	dumps  []esl.Event
	core   string          // what FreeSWITCH calls itself since its start
	status string          // how many channels it has made since then; empty: no answer
	agents string          // how the agents did; empty: no answer
	before int             // events that were heard before that answer
	events []esl.Event     // in order
	bytes  int             // of these
	told   map[string]bool // what is heard, by its name and whom it is of
}

// reconcile compares what is known with what goes on, and returns what follows:
// what began meanwhile, the ends of what is over, what was heard since, and a
// gap. On the first start there is one only when something is missing. began is
// when it was asked, by this machine's clock: it stands in for FreeSWITCH's
// when that has said nothing since. complete is whether all was answered.
func (v *survey) reconcile(reason string, from, began time.Time, complete bool) []source.Event {
	now, core := v.Last, v.core
	for _, ev := range v.dumps {
		now, core = source.Later(now, ev.Stamp()), cmp.Or(core, ev.Get("Core-UUID"))
	}
	to := source.Later(now, began)
	for _, ev := range v.events[:min(len(v.events), 1)] {
		to, core = ev.Stamp(), cmp.Or(core, ev.Get("Core-UUID"))
	}
	v.gap.Reason, v.gap.Checked = reason, v.listed && complete
	v.census.age(v.Last)
	v.gap.Restarted = v.census.start(core)
	v.late = map[string]int{}
	for _, l := range v.legs {
		l.stale, l.gap = l.Hung.IsZero(), true
	}
	v.join()
	if v.gap.Checked || v.gap.Restarted {
		v.part()
	}
	raised := v.replay(v.events[:v.before])
	v.gap.Missing = v.count()
	raised = append(raised, v.replay(v.events[v.before:])...)
	v.gap.Unheard += v.census.unheard(v.status)
	for _, l := range v.legs {
		if v.calls[l.Call] == nil {
			v.missed(l)
		}
	}
	if reason != source.GapStart || v.gap.Ended+v.gap.Missing > 0 {
		v.Gap(v.gap, from, to)
	}
	v.gap = source.Gap{}
	v.Last = source.Later(v.Last, now)
	v.settle(v.Last)
	v.dumps, v.events = nil, nil
	return append(raised, v.Raised()...)
}

// replay takes what was heard.
func (v *survey) replay(events []esl.Event) (raised []source.Event) {
	for _, ev := range events {
		raised = append(raised, v.apply(ev, ev.Stamp())...)
	}
	return raised
}

// join takes up what goes on: callers first, so that the legs that were called
// find their calls.
func (v *survey) join() {
	v.told = map[string]bool{}
	for _, ev := range v.events {
		id, a, b := ev.Get("Unique-ID"), ev.Get("Bridge-A-Unique-ID"), ev.Get("Bridge-B-Unique-ID")
		for _, of := range []string{id, ev.Get("CC-Member-Session-UUID"), a + b, b + a} {
			v.told[ev.Name()+ev.Get("CC-Action")+of] = true
		}
		if l := v.legs[id]; l != nil && ev.Name() != ccEvent { // mod_callcenter speaks of who is gone, too
			l.stale = false
		}
	}
	v.dumps = slices.DeleteFunc(v.dumps, func(ev esl.Event) bool { return v.told["CHANNEL_CREATE"+ev.Get("Unique-ID")] })
	asked := map[string]esl.Event{}
	for _, ev := range v.dumps {
		asked[ev.Get("Unique-ID")] = ev
	}
	for _, called := range []bool{false, true, true} { // and again those that were found before theirs
		for _, ev := range v.dumps {
			byOther := ev.Get("variable_originating_leg_uuid") != "" || ev.Get("variable_cc_side") == "agent"
			if byOther == called {
				v.found(ev)
			}
		}
	}
	bridges := slices.Clone(v.dumps)
	for _, ev := range v.events { // who hangs up says so, too
		if ev.Name() == "CHANNEL_HANGUP" {
			bridges, asked[ev.Get("Unique-ID")] = append(bridges, ev), ev
		}
	}
	slices.SortStableFunc(bridges, func(a, b esl.Event) int { return a.Time(bridged).Compare(b.Time(bridged)) })
	for _, ev := range bridges {
		v.resumed(ev, asked[ev.Get(peer)])
	}
}

// resumed takes two legs that hear each other since a moment in the gap, by
// what was said of the one, and of the other.
func (v *survey) resumed(ev, other esl.Event) {
	id, at := ev.Get("Unique-ID"), ev.Time(bridged)
	a, b, asked := v.legs[id], v.legs[ev.Get(peer)], v.legs[other.Get(peer)]
	mutual, consults := asked == a, asked != nil && asked.By == ev.Get(peer)
	switch {
	case a == nil || at.IsZero() || v.told["CHANNEL_BRIDGE"+id+ev.Get(peer)]:
	case b == nil && v.phone(a) && at.After(a.Spoke.Add(tick)):
		v.gap.Unheard++
	case b == nil || a.Serves == b.ID || b.Serves == a.ID:
	case mutual && id < b.ID || !mutual && consults:
		v.bridge(a, b, at)
	}
}

// found takes a channel that is alive. What happens to a caller in a queue may
// be heard itself.
func (v *survey) found(ev esl.Event) {
	id := ev.Get("Unique-ID")
	l := v.legs[id]
	if l == nil {
		l = v.newLeg(id, ev, ev.Stamp())
		l.record(v.files.below(ev.Get("variable_relay_recording")), l.Created)
	}
	l.stale = false
	v.learn(l, ev)
	if v.calls[l.Call] == nil && !l.Owner { // it was heard of before those that called it
		v.link(l, ev)
	}
	if !l.Rang {
		v.ring(l)
	}
	if c := v.calls[id]; c != nil && !v.told[ccEvent+"member-queue-start"+id] {
		v.resolve(c, ev)
	}
}

// part lets go of what is over, nobody knows since when. What documents say
// of it is better, if they come. It counts what is not known of it.
func (v *survey) part() {
	for id, l := range v.legs {
		if !l.stale {
			continue
		}
		if s := l.Segment; s != nil {
			v.gap.Ended++
			if s.End.IsZero() && v.documented() {
				l.Segment = nil // its document tells the end
				if c := v.calls[s.Call]; c != nil {
					c.Segments--
				}
			} else {
				v.report(l, "")
			}
		} else if l.Rang {
			v.gap.Unheard++ // somebody may have answered
		}
		delete(v.legs, id)
		delete(v.owed, id)
	}
	for id, c := range v.calls {
		if v.legs[id] == nil {
			if c.Doubt = c.End.IsZero(); c.Doubt {
				v.gap.Ended += c.Segments
				v.reportAll(c, "")
				waited := c.Visit != nil && !c.Talked.After(c.Visit.Joined)
				if c.Visit != nil && !c.Visit.Answered {
					c.Visit = nil
				}
				if waited || c.Direction == source.Inbound && c.result() == source.Unknown {
					v.gap.Abandon++
				}
				if c.Login = c.Login || v.documented(); v.gap.Restarted {
					v.gap.Unheard++ // whoever it reached since then is not in the numbers
				}
			}
			v.finish(c)
		}
	}
}

// count compares the agents' counters with what was heard since they were read
// last, and returns how many of their calls are missing.
func (v *survey) count() (missing int) {
	first := len(v.tally) == 0
	lines := strings.Split(strings.TrimSpace(v.agents), "\n")
	columns := strings.Split(lines[0], "|")
	name, answered := slices.Index(columns, "name"), slices.Index(columns, "calls_answered")
	for _, line := range lines[1:] {
		cells := strings.Split(line, "|")
		if len(cells) < len(columns) || name < 0 || answered < 0 {
			continue
		}
		agent := cells[name]
		n, err := strconv.Atoi(cells[answered])
		before, known := v.tally[agent]
		known = known || !first // new since then
		if err != nil || !known && len(v.tally) >= maxNames {
			continue
		}
		if n < before { // it counts anew since a restart
			before = 0
		}
		if more := n - before - v.heard[agent] - v.late[agent]; known && more > 0 {
			missing += more
		}
		v.tally[agent] = n
		delete(v.heard, agent)
	}
	return missing
}
