package asterisk

import (
	"strconv"
	"time"

	"callrelay/relay/source/asterisk/ami"
)

// bridgeEnter begins a segment, or goes on with one: an agent who consults
// another leaves the bridge and comes back.
func (m *machine) bridgeEnter(ev ami.Message, at time.Time) {
	l := m.join(ev, "", at)
	if l == nil {
		return
	}
	m.swap(l, ev.Get("SwapUniqueid"))
	l.Bridge, l.Left, l.Place = ev.Get("BridgeUniqueid"), time.Time{}, place(ev)
	if l.Entered.IsZero() && !l.Unsure {
		l.Entered = at
	}
	if l.Queue != "" {
		l.mark()
	}
	if s := l.Segment; s != nil {
		s.First, s.Peer, s.PeerMoved = false, "", false
	}
	if channels(ev) < 2 {
		return
	}
	for _, other := range l.call.sorted() {
		if other.Bridge == l.Bridge && !other.Entered.IsZero() {
			m.connect(other, other.Entered)
		}
	}
}

// swap hands a segment on from half of a Local channel that Asterisk takes out
// of the way to the channel it stood for.
func (m *machine) swap(l *leg, out string) {
	old := m.legs[out]
	if old == nil || old.Segment == nil || !old.local() || l.Segment != nil || l.local() {
		return
	}
	l.Segment, old.Segment = old.Segment, nil
	l.Entered, l.Unsure = old.Entered, old.Unsure
}

func (m *machine) bridgeLeave(ev ami.Message, at time.Time) {
	l := m.find(ev, "", at)
	if l == nil {
		return
	}
	bridge := ev.Get("BridgeUniqueid")
	if l.Segment != nil {
		l.Segment.First = channels(ev) > 0 && l.Segment.Peer == ""
	}
	for _, other := range l.call.Legs {
		if other != l && other.Bridge == bridge && other.Segment != nil {
			other.Segment.Peer, other.Segment.PeerMoved = l.ID, l.Place != "" && place(ev) != l.Place
		}
	}
	if l.Bridge == bridge {
		l.Bridge = ""
	}
	l.Left = at
}

// place is where in the dialplan a leg is. It changes under a leg that is
// redirected, before it leaves its bridge.
func place(ev ami.Message) string {
	return ev.Get("Context") + "," + ev.Get("Exten") + "," + ev.Get("Priority")
}

func channels(ev ami.Message) int {
	n, err := strconv.Atoi(ev.Get("BridgeNumChannels"))
	if err != nil {
		return 0
	}
	return n
}
