package freeswitch

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/freeswitch/esl"
)

// dumped is what is kept of a channel that was asked for.
var dumped = []string{
	"Unique-ID", "Channel-Name", "Call-Direction", "Answer-State", "Channel-Call-State", "Other-Type", "Other-Leg-Unique-ID",
	"Caller-Caller-ID-Number", "Caller-Destination-Number", "Caller-RDNIS", "Caller-Channel-Created-Time", "Caller-Channel-Bridged-Time", "Caller-Profile-Index",
	"Event-Date-Timestamp", "variable_other_loopback_leg_uuid", "variable_originating_leg_uuid", "variable_user_name", "variable_presence_id", "variable_dialed_user",
	"variable_relay_agent", "variable_relay_agent_username", "variable_effective_caller_id_name", "variable_relay_recording", "variable_bridge_uuid",
	"variable_cc_side", "variable_cc_queue", "variable_cc_agent", "variable_cc_agent_type", "variable_cc_member_uuid", "variable_cc_member_session_uuid",
	"variable_cc_queue_joined_epoch", "variable_cc_cause",
}

// survey is what FreeSWITCH says goes on, after a time when nothing was heard.
type survey struct {
	since  time.Time // all is heard since then, by FreeSWITCH's clock
	listed bool
	dumps  []esl.Event
	agents string         // how the agents did, empty: no answer
	heard  map[string]int // how many of their calls were heard by then
	joined map[string]int // and how many were found to go on
}

// begin notes once since when all is heard. What was alive before is in doubt.
func (v *survey) begin(m *machine, at time.Time) {
	if !v.since.IsZero() {
		return
	}
	v.since = at
	for _, l := range m.legs {
		l.stale = l.Hung.IsZero()
	}
}

// hear takes an event. A channel that ends before all are asked for is not
// taken up: nobody would say again that it is over.
func (v *survey) hear(ev esl.Event) {
	if ev.Name() == "CHANNEL_HANGUP_COMPLETE" {
		v.dumps = slices.DeleteFunc(v.dumps, func(d esl.Event) bool { return d.Get("Unique-ID") == ev.Get("Unique-ID") })
	}
}

// settle compares what is known with what goes on, and returns what follows:
// what began meanwhile, the ends of what is over, and a gap. On the first
// start there is one only when something is missing. began is when it was
// asked, by this machine's clock: it stands in for FreeSWITCH's when that has
// said nothing since.
func (v *survey) settle(m *machine, reason string, from, began time.Time) []source.Event {
	defer func() { v.dumps, v.agents = nil, "" }()
	now := m.Last
	for _, ev := range v.dumps {
		now = source.Later(now, ev.Stamp())
	}
	v.begin(m, source.Later(now, began))
	g := source.Gap{Reason: reason, Checked: v.listed}
	v.joined = map[string]int{}
	if v.listed {
		before := maps.Clone(m.heard)
		v.join(m)
		for agent, n := range m.heard { // what is found was answered before the agents' counters were read
			v.joined[agent] = n - before[agent]
		}
		g.Ended = v.part(m)
	}
	g.Missing = v.count(m)
	m.Last = source.Later(m.Last, now)
	if reason != source.GapStart || g.Ended+g.Missing > 0 {
		m.Gap(g, from, v.since)
	}
	m.settle(m.Last)
	return m.Raised()
}

// join takes up what goes on: callers first, so that the legs that were called
// find their calls.
func (v *survey) join(m *machine) {
	peers := map[string]esl.Event{}
	for _, ev := range v.dumps {
		peers[ev.Get("Unique-ID")] = ev
	}
	for _, called := range []bool{false, true} {
		for _, ev := range v.dumps {
			byOther := ev.Get("variable_originating_leg_uuid") != "" || ev.Get("variable_cc_side") == "agent"
			if byOther == called {
				v.found(m, ev)
			}
		}
	}
	for id, ev := range peers {
		other := ev.Get("variable_bridge_uuid")
		at := ev.Time("Caller-Channel-Bridged-Time")
		if o, ok := peers[other]; ok && id < other && o.Get("variable_bridge_uuid") == id && !at.IsZero() {
			v.resumed(m, m.legs[id], m.legs[other], at)
		}
	}
}

// found takes a channel that is alive.
func (v *survey) found(m *machine, ev esl.Event) {
	id := ev.Get("Unique-ID")
	l := m.legs[id]
	if l == nil {
		l = m.newLeg(id, ev, ev.Stamp())
		l.record(m.files.below(ev.Get("variable_relay_recording")), l.Created)
		if ev.Get("Answer-State") != "answered" {
			m.ring(l, l.Created)
		}
	}
	l.stale = false
	m.learn(l, ev)
	if ev.Get("variable_cc_side") == "member" {
		m.waits(m.calls[id], ev)
	}
}

// resumed takes two legs that hear each other since a moment in the gap.
func (v *survey) resumed(m *machine, a, b *leg, at time.Time) {
	if a == nil || b == nil || a.Serves == b.ID || b.Serves == a.ID {
		return
	}
	m.bridge(a, b, at)
}

// part lets go of what is over, nobody knows since when. What documents tell
// of it is better, if they come. It counts the segments.
func (v *survey) part(m *machine) (ended int) {
	for id, l := range m.legs {
		if !l.stale {
			continue
		}
		if s := l.Segment; s != nil {
			ended++
			if s.Lost = s.End.IsZero(); s.Lost && m.documented() {
				v.forgo(m, l)
			} else {
				m.report(l, "")
			}
		}
		delete(m.legs, id)
		delete(m.owed, id)
	}
	for id, c := range m.calls {
		if m.legs[id] == nil {
			if c.Doubt = c.End.IsZero(); c.Doubt {
				c.Visit, c.Login = c.Visit.unknown(), c.Login || m.documented()
			}
			m.finish(c)
		}
	}
	return ended
}

// forgo leaves the end of a segment to its document.
func (v *survey) forgo(m *machine, l *leg) {
	if c := m.calls[l.Segment.Call]; c != nil {
		c.Segments--
	}
	l.Segment = nil
}

// unknown is a stay that ended unheard; nil when nothing is known of it.
func (v *stay) unknown() *stay {
	if v == nil || v.Answered {
		return v
	}
	return nil
}

// count compares the agents' counters with what was heard since they were read
// last, and returns how many of their calls are missing.
func (v *survey) count(m *machine) (missing int) {
	lines := strings.Split(strings.TrimSpace(v.agents), "\n")
	name, answered := -1, -1
	for i, column := range strings.Split(lines[0], "|") {
		switch column {
		case "name":
			name = i
		case "calls_answered":
			answered = i
		}
	}
	for _, line := range lines[1:] {
		cells := strings.Split(line, "|")
		if name < 0 || answered < 0 || len(cells) <= max(name, answered) {
			continue
		}
		agent := cells[name]
		n, err := strconv.Atoi(cells[answered])
		before, known := m.tally[agent]
		if err != nil || !known && len(m.tally) >= maxNames {
			continue
		}
		switch {
		case known && n < before: // it counts anew since a restart
			missing += max(n-v.joined[agent], 0)
		case known:
			missing += max(n-before-v.heard[agent]-v.joined[agent], 0)
		}
		m.tally[agent] = n
		if m.heard[agent] -= v.heard[agent] + v.joined[agent]; m.heard[agent] <= 0 {
			delete(m.heard, agent)
		}
	}
	return missing
}
