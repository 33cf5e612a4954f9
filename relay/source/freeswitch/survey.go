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
	"variable_cc_queue_joined_epoch", "variable_cc_cause", "variable_cc_cancel_reason", "variable_cc_queue_answered_epoch", "variable_cc_queue_canceled_epoch", "variable_session_id", "Core-UUID",
	"Caller-Channel-Hangup-Time", "Hangup-Cause", "variable_last_bridge_to", "variable_transfer_disposition",
}

// What a channel says of whom it is bridged with, and since when.
const (
	peer    = "variable_bridge_uuid"
	bridged = "Caller-Channel-Bridged-Time"
)

// maxLater is how many events wait for their legs at most.
const maxLater = 1000

// survey is what FreeSWITCH says goes on, after a time when nothing was heard.
type survey struct {
	since  time.Time // all is heard since then, by FreeSWITCH's clock
	listed bool
	dumps  []esl.Event
	core   string         // what FreeSWITCH calls itself since its start
	status string         // how many channels it has made since then; empty: no answer
	agents string         // how the agents did; empty: no answer
	heard  map[string]int // how many of their calls were heard by then
	ended  int            // segments of legs that stand
	later  []esl.Event    // what was heard of legs that were not known then
	spoke  int            // phones of which more happened than is known
}

// begin notes once since when all is heard. What was alive before is in doubt.
func (v *survey) begin(m *machine, at time.Time) {
	if !v.since.IsZero() {
		return
	}
	v.since = at
	m.census.age(m.Last)
	m.late = map[string]int{}
	for _, l := range m.legs {
		l.stale = l.Hung.IsZero()
	}
}

// hear takes an event. A channel that ends before all are asked for is not
// taken up: nobody would say again that it is over.
// What happens between legs that are not asked for yet waits for that.
func (v *survey) hear(m *machine, ev esl.Event) {
	known := func(name string) bool { return m.legs[ev.Get(name)] != nil }
	switch ev.Name() {
	case "CHANNEL_BRIDGE":
		if len(v.later) < maxLater && (!known("Bridge-A-Unique-ID") || !known("Bridge-B-Unique-ID")) {
			v.later = append(v.later, ev)
		}
	case ccEvent:
		if session := "CC-Member-Session-UUID"; len(v.later) < maxLater && ev.Get(session) != "" && !known(session) {
			v.later = append(v.later, ev)
		}
	}
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
	defer func() { v.dumps, v.later, v.agents = nil, nil, "" }()
	now := m.Last
	for _, ev := range v.dumps {
		now = source.Later(now, ev.Stamp())
	}
	v.begin(m, source.Later(now, began))
	g := source.Gap{Reason: reason, Checked: v.listed}
	if v.listed {
		v.join(m)
		v.replay(m)
		v.part(m, &g)
		g.Ended += v.ended
		g.Unheard += v.spoke
		g.Abandon += m.unseen
		m.unseen = 0
	}
	g.Missing = v.count(m)
	g.Unheard += m.census.unheard(v.core, v.status)
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
	for _, called := range []bool{false, true, true} { // and again those that were found before theirs
		for _, ev := range v.dumps {
			byOther := ev.Get("variable_originating_leg_uuid") != "" || ev.Get("variable_cc_side") == "agent"
			if byOther == called {
				v.found(m, ev)
			}
		}
	}
	v.alone(m)
	slices.SortStableFunc(v.dumps, func(a, b esl.Event) int { return a.Time(bridged).Compare(b.Time(bridged)) })
	for _, ev := range v.dumps {
		id, other, at := ev.Get("Unique-ID"), ev.Get(peer), ev.Time(bridged)
		asked := m.legs[peers[other].Get(peer)]
		mutual, consults := asked != nil && asked.ID == id, asked != nil && asked.By == other
		switch l := m.legs[id]; {
		case at.IsZero() || l == nil:
		case mutual && id < other || !mutual && consults:
			v.resumed(m, l, m.legs[other], at)
		case m.legs[other] == nil && m.phone(l) && at.After(l.Spoke.Add(tick)):
			v.spoke++
		}
	}
	for _, ev := range v.dumps {
		if at, l := ev.Time("Caller-Channel-Hangup-Time"), m.legs[ev.Get("Unique-ID")]; l != nil && !at.IsZero() {
			m.hangup(l, ev, at)
		}
	}
}

// replay takes what was heard of legs before they were known.
func (v *survey) replay(m *machine) {
	for range 2 { // those who were called by the called ones, too
		for _, l := range m.legs {
			if by := m.legs[l.By]; by != nil && m.calls[l.Call] == nil {
				m.follow(l, by)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.legs)) {
		v.ring(m, m.legs[id])
	}
	for _, ev := range v.later {
		if ev.Name() == ccEvent {
			m.callcenter(ev, ev.Stamp())
			continue
		}
		a, b, at := m.legs[ev.Get("Bridge-A-Unique-ID")], m.legs[ev.Get("Bridge-B-Unique-ID")], ev.Stamp()
		if a != nil && b != nil && a.Hung.IsZero() && b.Hung.IsZero() && at.After(a.Spoke) && at.After(b.Spoke) {
			m.bridge(a, b, at)
		}
	}
}

// alone ends the segments of legs that stand and whose callers are gone.
func (v *survey) alone(m *machine) {
	for _, l := range m.legs {
		switch peer := m.legs[l.peer()]; {
		case l.stale || !l.open():
		case peer == nil || peer.stale:
			m.report(l, "")
			v.ended++
		case !peer.Hung.IsZero():
			l.end(peer.Hung)
			m.owed[l.ID] = true
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
	}
	l.stale = false
	m.learn(l, ev)
	if m.calls[l.Call] == nil && !l.Owner { // it was heard of before those that called it
		m.link(l, ev)
	}
	v.ring(m, l)
	if c := m.calls[id]; c != nil {
		m.resolve(c, ev)
	}
}

// ring says late that a phone rings. If it does no more nobody says why.
func (v *survey) ring(m *machine, l *leg) {
	if l.Rang {
		return
	}
	if m.ring(l); l.Rang && !l.Hung.IsZero() && l.Spoke.IsZero() {
		v.spoke++
	}
}

// resumed takes two legs that hear each other since a moment in the gap.
func (v *survey) resumed(m *machine, a, b *leg, at time.Time) {
	if a == nil || b == nil || a.Serves == b.ID || b.Serves == a.ID {
		return
	}
	m.bridge(a, b, at)
}

// part lets go of what is over, nobody knows since when. What documents say
// of it is better, if they come. It counts what is not known of it.
func (v *survey) part(m *machine, g *source.Gap) {
	for id, l := range m.legs {
		if !l.stale {
			continue
		}
		if s := l.Segment; s != nil {
			g.Ended++
			if s.Lost = s.End.IsZero(); s.Lost && m.documented() {
				v.forgo(m, l)
			} else {
				m.report(l, "")
			}
		} else if l.Rang {
			g.Unheard++ // somebody may have answered
		}
		delete(m.legs, id)
		delete(m.owed, id)
	}
	for id, c := range m.calls {
		if m.legs[id] == nil {
			if c.Doubt = c.End.IsZero(); c.Doubt {
				v.reportHung(m, c)
				waited := c.Visit.open()
				if c.Visit != nil && !c.Visit.Answered {
					c.Visit = nil
				}
				if waited || c.Direction == source.Inbound && c.result() == source.Unknown {
					g.Abandon++
				}
				c.Login = c.Login || m.documented()
			}
			m.finish(c)
		}
	}
}

// reportHung reports the segments of a call that is over of which more was to
// be heard.
func (v *survey) reportHung(m *machine, c *call) {
	for _, l := range m.legs {
		if s := l.Segment; s != nil && s.Call == c.ID {
			reason := l.first()
			if s.Transferred {
				reason = source.ByTransfer
			}
			m.report(l, reason)
		}
	}
}

// forgo leaves the end of a segment to its document.
func (v *survey) forgo(m *machine, l *leg) {
	if c := m.calls[l.Segment.Call]; c != nil {
		c.Segments--
	}
	l.Segment = nil
}

// count compares the agents' counters with what was heard since they were read
// last, and returns how many of their calls are missing.
func (v *survey) count(m *machine) (missing int) {
	first := len(m.tally) == 0
	lines := strings.Split(strings.TrimSpace(v.agents), "\n")
	columns := strings.Split(lines[0], "|")
	for _, line := range lines[1:] {
		cells := strings.Split(line, "|")
		if len(cells) < len(columns) {
			continue
		}
		row := map[string]string{}
		for i, column := range columns {
			row[column] = cells[i]
		}
		agent := row["name"]
		n, err := strconv.Atoi(row["calls_answered"])
		before, known := m.tally[agent]
		known = known || !first // new since then
		if err != nil || !known && len(m.tally) >= maxNames {
			continue
		}
		if n < before { // it counts anew since a restart
			before = 0
		}
		if more := n - before - v.heard[agent] - m.late[agent]; known && more > 0 {
			missing += more
		}
		m.tally[agent] = n
		if m.heard[agent] -= v.heard[agent]; m.heard[agent] <= 0 {
			delete(m.heard, agent)
		}
	}
	return missing
}
