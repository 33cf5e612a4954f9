package freeswitch

import "time"

// moved reports whether a leg ended because its phone passed the call on.
func moved(disposition string) bool {
	return disposition == "recv_replace" || disposition == "replaced"
}

// endReason says who ended an agent's leg, from its variables: the agent
// passed the call on, or hung up, or FreeSWITCH hung the phone up because the
// caller had gone, or was moved away.
func endReason(variable func(string) string) string {
	switch {
	case moved(variable("transfer_disposition")):
		return reasonTransfer
	case variable("sip_hangup_disposition") == "recv_bye":
		return reasonAgent
	case variable("last_bridge_hangup_cause") != "":
		return reasonCaller
	case variable("hangup_cause") == "NORMAL_CLEARING":
		return reasonTransfer
	}
	return ""
}

// ringResult is why a phone was not answered, by the cause it was hung up for.
func ringResult(cause string) string {
	switch cause {
	case "NO_ANSWER", "ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT", "MEDIA_TIMEOUT":
		return "no_answer"
	case "USER_BUSY":
		return "busy"
	case "CALL_REJECTED":
		return "rejected"
	case "ORIGINATOR_CANCEL", "NORMAL_CLEARING", "MANAGER_REQUEST":
		return "cancelled"
	case "LOSE_RACE", "PICKED_OFF":
		return "answered_elsewhere"
	}
	return "unreachable"
}

// bridge takes two legs that hear each other now.
func (m *machine) bridge(a, b *leg, at time.Time) {
	if a == nil || b == nil || a.loopback() || b.loopback() {
		return
	}
	a.Bridged, b.Bridged = true, true
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
	m.reaches(c, other)
	c.Talked = at
	if caller.Device != "" && m.consults(caller) {
		c.Consult = true
	}
	if m.phone(other) {
		m.talk(c, caller, other, at)
	}
	if c.Direction != inbound && caller.Device != "" && m.phone(caller) {
		m.talk(c, other, caller, at)
	}
}

// talk begins the segment of an agent, or goes on with it.
func (m *machine) talk(c *call, peer, l *leg, at time.Time) {
	if c.Consult {
		return
	}
	peer.Serves = l.ID
	if s := l.Segment; s != nil {
		if s.Call == c.ID && !s.Lost {
			s.Peer, s.End = peer.ID, time.Time{}
			return
		}
		l.end(at)
		m.report(l, reasonTransfer)
	}
	s := &segment{Call: c.ID, Peer: peer.ID, Start: at}
	if l.Agent != "" && (l.Member == c.ID || l.Member == peer.ID) {
		s.Queue, s.Agent = l.Queue, l.Agent
	}
	l.Segment = s
	c.Segments++
	m.connected(c, l, at)
}

// unbridge takes two legs that hear each other no more.
func (m *machine) unbridge(a, b *leg, at time.Time) {
	if a == nil || b == nil {
		return
	}
	for _, pair := range [][2]*leg{{a, b}, {b, a}} {
		if l, peer := pair[0], pair[1]; l.Segment != nil && l.Segment.Peer == peer.ID {
			l.end(at)
			m.owed[l.ID] = true
		}
	}
}
