package freeswitch

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/freeswitch/esl"
)

// registry is which legs there are, whose they are, and of which call.
type registry struct {
	reporter
	phones []string // patterns; empty: every user of the directory
	legs   map[string]*leg
	calls  map[string]*call
	census census
	gap    source.Gap // what was not heard, as far as it is known, and not said yet
}

// leg returns the leg an event speaks of, made known if it was not. One that
// is heard of only when it ends, and was in no conversation, was nobody's.
func (m *registry) leg(id string, ev esl.Event, at time.Time) *leg {
	l := m.legs[id]
	if l == nil {
		switch ev.Name() {
		case "CHANNEL_HANGUP_COMPLETE", "RECORD_STOP", "CHANNEL_UNBRIDGE":
			return nil
		case "CHANNEL_HANGUP":
			if ev.Time("Caller-Channel-Bridged-Time").IsZero() {
				return nil
			}
		}
		l = m.newLeg(id, ev, at)
	}
	l.stale = false
	m.learn(l, ev)
	return l
}

// learn takes what an event says of whose leg it is.
func (m *registry) learn(l *leg, ev esl.Event) {
	if l.Device == "" {
		l.Device = deviceOf(ev)
	}
	agents := ev.Get("variable_cc_side") == "agent"
	l.Standby = l.Standby || ev.Get("variable_cc_agent_type") == "uuid-standby" || agents && ev.Get("Call-Direction") == "inbound"
	if agents && (l.Agent == "" || l.Standby) {
		l.Queue, l.Agent, l.Member = queueName(ev.Get("variable_cc_queue")), ev.Get("variable_cc_agent"), ev.Get("variable_cc_member_session_uuid")
		if member := m.legs[l.Member]; member != nil {
			m.waitsBy(m.calls[member.Call], ev)
		}
	}
	name := cmp.Or(ev.Get("variable_relay_agent_username"), ev.Get("variable_effective_caller_id_name"))
	if name != "" && l.Device != "" && (len(m.names) < maxNames || m.names[l.Device] != "") {
		m.names[l.Device] = name
	}
}

// deviceOf is the user of the directory whose phone a channel is.
func deviceOf(ev esl.Event) string {
	if ev.Get("Call-Direction") == "inbound" {
		return userOf(ev.Get("variable_user_name"))
	}
	dialled := cmp.Or(ev.Get("variable_relay_agent"), ev.Get("variable_dialed_user"))
	if dialled == "" && ev.Get("variable_cc_side") != "agent" {
		return ""
	}
	return cmp.Or(userOf(ev.Get("variable_presence_id")), dialled, userOf(ev.Get("variable_cc_agent")))
}

// newLeg makes a leg known, and its call when it is a caller's.
func (m *registry) newLeg(id string, ev esl.Event, at time.Time) *leg {
	l := &leg{ID: id, gap: ev.Name() != "CHANNEL_CREATE", Channel: ev.Get("Channel-Name"), Half: ev.Get("variable_other_loopback_leg_uuid"), Created: at}
	if created := ev.Time("Caller-Channel-Created-Time"); !created.IsZero() && ev.Name() != "CHANNEL_CREATE" {
		l.Created = created
	}
	m.bound()
	m.legs[id] = l
	m.census.hear(ev, at)
	m.learn(l, ev)
	if l.By = ev.Get("variable_originating_leg_uuid"); ev.Get("Other-Type") == "originator" && l.By == "" {
		l.By = ev.Get("Other-Leg-Unique-ID")
	}
	m.link(l, ev)
	return l
}

// link finds the call of a leg, or makes it known when the leg is a caller's.
func (m *registry) link(l *leg, ev esl.Event) {
	switch by, half, member := m.legs[l.By], m.legs[l.Half], m.legs[l.Member]; {
	case by != nil:
		m.follow(l, by)
	case l.By != "":
		l.Call = l.By // not heard of
	case member != nil && !l.Standby:
		l.Call = member.Call
	case l.Member != "" && !l.Standby:
		l.Call = l.Member // not heard of yet
	case half != nil:
		m.follow(l, half)
	case l.loopback():
	default:
		l.Owner, l.Call = true, l.ID
		m.begin(l, ev)
	}
}

// follow makes a leg part of the call of the one that called it. Behind a
// loopback channel it is the phone that a queue called.
func (m *registry) follow(l, by *leg) {
	l.Call = by.Call
	if by.loopback() {
		l.Agent, l.Queue, l.Member = cmp.Or(l.Agent, by.Agent), cmp.Or(l.Queue, by.Queue), cmp.Or(l.Member, by.Member)
	}
}

// begin makes the call of a caller's leg known.
func (m *registry) begin(l *leg, ev esl.Event) {
	c := &call{Phone: l.Device, Call: source.Call{
		ID: l.ID, Start: l.Created, Rang: []string{}, Wanted: len(m.Queues) == 0,
		ANI: ev.Get("Caller-Caller-ID-Number"), DNIS: ev.Get("Caller-Destination-Number"),
	}}
	if ev.Name() != "CHANNEL_CREATE" { // the profile of now: the first number is its rdnis
		c.DNIS = cmp.Or(ev.Get("Caller-RDNIS"), c.DNIS)
	}
	m.calls[l.ID] = c
	if c.Phone == "" {
		c.Direction = source.Inbound
		m.Start(&c.Call)
	}
}

// bound forgets the oldest call when there are too many legs to remember. It
// can only be that their ends are never heard.
func (m *registry) bound() {
	if len(m.legs) < maxLegs {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(m.legs)), func(a, b *leg) int { return a.Created.Compare(b.Created) })
	maps.DeleteFunc(m.legs, func(_ string, l *leg) bool { return l == oldest || l.Call == oldest.Call })
	delete(m.calls, oldest.Call)
	m.Miss("more than %d legs in progress", maxLegs)
}

// unsaid says what was found missing after the gap was told. It is not known
// since when.
func (m *registry) unsaid(at time.Time) []source.Event {
	if g := m.gap; g != (source.Gap{}) {
		g.Reason, g.Checked, m.gap = source.GapDisconnect, true, source.Gap{}
		m.Gap(g, time.Time{}, at)
	}
	return m.Raised()
}

// phone reports whether a leg is of an agent's phone.
func (m *registry) phone(l *leg) bool {
	if l.loopback() || l.Agent == "" && l.Device == "" {
		return false
	}
	return l.Agent != "" || len(m.phones) == 0 || slices.ContainsFunc(m.phones, func(pattern string) bool {
		match, _ := path.Match(pattern, l.Device)
		return match
	})
}

// reaches notes whom a call reaches: it gives the direction of one that a phone
// made.
func (m *registry) reaches(c *call, l *leg) {
	if c.Direction == "" {
		c.Direction = source.Outbound
		if l.Device != "" || l.Agent != "" {
			c.Direction = source.Internal
		}
		m.Start(&c.Call)
	}
}

// roles returns whose call two legs talk in: that of the caller's leg among
// them. It is nobody's when an agent asks a colleague on the line of the call.
func (m *registry) roles(a, b *leg) (caller, other *leg) {
	switch {
	case a.Owner && b.Owner:
		if b.Member == a.ID || a.Device == "" && b.Device != "" {
			return a, b
		}
		if a.Member == b.ID || b.Device == "" && a.Device != "" || a.Created.After(b.Created) {
			return b, a
		}
		return a, b // it was there first, and b picked it up
	case a.Owner:
		return a, b
	case b.Owner:
		return b, a
	case a.Device == "" && b.Device != "":
		return m.promote(a), b
	case b.Device == "" && a.Device != "":
		return m.promote(b), a
	case m.owner(a) == nil && m.owner(b) == nil: // who called one of them passed it on
		if b.Created.Before(a.Created) {
			a, b = b, a
		}
		return m.promote(a), b
	}
	return nil, nil
}

// owner is the caller's leg of a leg's call; nil when it is over.
func (m *registry) owner(l *leg) *leg {
	if owner := m.legs[l.Call]; owner != nil && owner.Hung.IsZero() {
		return owner
	}
	return nil
}

// promote makes the line of somebody who was called a caller's: who called is
// gone, and the call goes on.
func (m *registry) promote(l *leg) *leg {
	if owner := m.owner(l); owner != nil {
		return owner
	}
	from := m.calls[l.Call]
	l.Owner, l.Call = true, l.ID
	c := &call{Login: true, Call: source.Call{ID: l.ID, Direction: source.Inbound, Rang: []string{}, Wanted: len(m.Queues) == 0, Started: true}}
	if l.Device != "" {
		c.Direction = source.Internal
	}
	if from != nil {
		c.ANI, c.DNIS, c.Wanted = from.DNIS, from.ANI, from.Wanted
	}
	m.calls[l.ID] = c
	return l
}

// consults reports whether a phone has a caller on another line meanwhile.
func (m *registry) consults(l *leg) bool {
	for _, o := range m.legs {
		if o != l && o.Device == l.Device && o.open() {
			return true
		}
	}
	return false
}
