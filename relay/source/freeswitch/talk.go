package freeswitch

import (
	"time"

	"callrelay/relay/source"
)

// bridge takes two legs that hear each other now.
func (m *machine) bridge(a, b *leg, at time.Time) {
	if a == nil || b == nil || a.loopback() || b.loopback() {
		return
	}
	a.Spoke, b.Spoke = at, at
	for _, l := range []*leg{a, b} { // a caller who is with another agent now has left the one before
		if agent := m.legs[l.Serves]; agent != nil && agent != a && agent != b {
			agent.end(at)
			m.owed[agent.ID] = true
			l.Serves = ""
		}
	}
	caller, other := m.roles(a, b)
	if caller == nil || m.calls[caller.Call] == nil {
		return
	}
	c := m.calls[caller.Call]
	if own := m.calls[other.Call]; other.Owner && own != c && own != nil && !own.Started {
		own.Login = true // it came to take this call
	}
	m.reaches(c, other)
	c.Talked = at
	if caller.Device != "" && m.consults(caller) {
		c.Consult = true
	}
	if m.phone(other) {
		m.talk(c, caller, other, at)
	}
	if c.Direction != source.Inbound && caller.Device != "" && m.phone(caller) {
		m.talk(c, other, caller, at)
	}
}

// unheard takes the last bridge of a leg that hangs up, if nobody heard of it.
func (m *machine) unheard(l, peer *leg, at time.Time) {
	if !at.After(l.Spoke.Add(tick)) {
		return
	}
	if c := m.calls[l.Call]; c != nil {
		c.Doubt = true
	}
	if l.Spoke = at; peer != nil && !peer.Spoke.After(at.Add(tick)) {
		m.bridge(l, peer, at)
	}
	if l.Segment == nil {
		m.missed(l) // with whom it was is not known any more
	}
}

// talk begins the segment of an agent, or goes on with it.
func (m *machine) talk(c *call, peer, l *leg, at time.Time) {
	if c.Consult {
		return
	}
	peer.Serves = l.ID
	if s := l.Segment; s != nil {
		if s.Call == c.ID {
			s.Peer, s.End = peer.ID, time.Time{}
			return
		}
		l.end(at)
		reason := l.first()
		if before := m.legs[s.Peer]; reason == "" && before != nil && !before.stale {
			reason = source.ByTransfer
		}
		m.report(l, reason)
	}
	s := &segment{Call: c.ID, Peer: peer.ID, Start: at}
	if asked := m.calls[l.Member]; l.Agent != "" && (l.Member == c.ID || l.Member == peer.ID || asked != nil && asked.Consult) {
		s.Queue, s.Agent = l.Queue, l.Agent
		if m.served(c, at) {
			m.late[l.Agent]++
		}
	}
	l.Segment = s
	c.Segments++
	m.segment("agent_connect", c, l, nil, "")
}

// unbridge takes two legs that heard each other since a moment, and do no
// more. If nobody heard of it, b may have consulted somebody meanwhile.
func (m *machine) unbridge(a, b *leg, since, at time.Time) {
	if a == nil || b == nil {
		return
	}
	if since.After(a.Spoke.Add(tick)) && a.Serves == "" && a.Segment == nil && b.Segment == nil {
		spoke := b.Spoke
		m.bridge(a, b, since)
		b.Spoke = source.Later(b.Spoke, spoke)
	}
	for _, pair := range [][2]*leg{{a, b}, {b, a}} {
		if l, peer := pair[0], pair[1]; l.Segment != nil && l.Segment.Peer == peer.ID {
			l.end(at)
			m.owed[l.ID] = true
		}
	}
}
