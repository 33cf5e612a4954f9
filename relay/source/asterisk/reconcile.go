package asterisk

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// tally is what a queue counted: agents' conversations that ended, and callers
// who gave up. It goes on while nobody listens, and so shows what was missed.
type tally struct {
	Completed, Abandoned int
}

// afterGap is a machine that did not hear for a while, or begins to.
type afterGap struct{ *machine }

// gapUnseen is why nothing was heard of a segment that began and ended.
const gapUnseen = "segment told only by its end"

// gapChannels is why more is missing than the gap before it said.
const gapChannels = "channels told only by the next one's number"

// resume begins to listen again at a moment of Asterisk's clock. Until
// [machine.reconcile], what was alive before the gap is in doubt.
func (m afterGap) resume(since time.Time) {
	m.since = since
	m.census.begin()
	for _, c := range m.calls {
		c.Doubt = true
	}
	for _, l := range m.legs {
		l.stale = !l.Gone
	}
}

// reconcile compares what the source knows with the channels and queues that
// Asterisk lists, and returns what follows: the ends of the segments that are
// over, and a gap that says from when to when the source heard nothing. On the
// first start, with nothing known before, there is one only when agents are in
// conversation.
func (m afterGap) reconcile(reason string, from time.Time, channels, queues []ami.Message) []source.Event {
	g := source.Gap{Reason: reason, Checked: true}
	for _, ev := range queues {
		if ev.Event() == "QueueMember" {
			m.learn(ev)
		}
	}
	var alive []*leg
	for _, ev := range channels {
		if l := m.listed(ev); l != nil {
			alive = append(alive, l)
		}
	}
	m.wait(alive)
	m.serve(alive)
	ended := map[string]int{}
	for _, l := range m.those(func(l *leg) bool { return l.stale }) {
		if m.vanish(l) {
			g.Ended++
			ended[l.Segment.Queue]++
		}
	}
	m.converse(alive)
	for _, l := range alive {
		if l.found && l.Segment != nil {
			g.Found++
		}
	}
	for _, ev := range queues {
		if ev.Event() == "QueueParams" {
			missed, anew := m.retally(ev)
			if !anew {
				missed.Completed = max(0, missed.Completed-ended[ev.Get("Queue")])
			}
			g.Missing += missed.Completed
			g.Abandon += missed.Abandoned
		}
	}
	// Behind a conversation that a queue counted there are two channels at least.
	g.Unheard = max(m.census.unheard()-2*g.Missing-g.Abandon, 0)
	if reason != source.GapStart || g.Found > 0 {
		m.Gap(g, from, m.since)
	}
	return m.Raised()
}

// recount says how many more channels were made unheard, once the number of
// the first one after a gap shows it.
func (m afterGap) recount(at time.Time) {
	if n := m.census.settle(at); n > 0 {
		m.Gap(source.Gap{Reason: gapChannels, Unheard: n, Checked: true}, time.Time{}, m.since)
	}
}

// unreconciled says that Asterisk did not report which channels are alive: what
// is known stays as it was.
func (m afterGap) unreconciled(reason string, from time.Time) []source.Event {
	for _, l := range m.those(func(l *leg) bool { return l.stale }) {
		l.stale = false
	}
	m.Gap(source.Gap{Reason: reason}, from, m.since)
	return m.Raised()
}

// listed takes a channel that is alive; nil when the list does not name it.
func (m afterGap) listed(ev ami.Message) *leg {
	l := m.known(ev, "", m.since)
	if l == nil {
		if l = m.leg(ev, "", time.Time{}); l == nil { // nobody knows when it began
			return nil
		}
	}
	seen := l.Bridge != "" || len(l.Bridged) > 0 || l.Unsure || l.open()
	m.displace(l, l.Bridge)
	l.Bridge, l.app = ev.Get("BridgeId"), ev.Get("Application")
	m.place(l, l.Bridge)
	switch l.app {
	case "Queue":
		l.Caller = true
		l.Asked, _, _ = strings.Cut(ev.Get("ApplicationData"), ",")
		if m.Wants(l.Asked, &l.call.Call) {
			l.call.Wanted, l.call.Queue = true, cmp.Or(l.call.Queue, l.Asked)
		}
	case "AgentLogin":
		l.call.Login = true
	}
	answered := l.app == "AppQueue" && ev.Get("ChannelState") == "6"
	l.found = !seen && (l.Bridge != "" || answered)
	l.Unsure = l.Unsure || l.found
	return l
}

// wait marks those in bridges in which everybody waits: parked, or logged in to
// a pool.
func (m afterGap) wait(alive []*leg) {
	for _, l := range alive {
		l.Holding = l.Bridge != "" && !slices.ContainsFunc(append(m.others(l, l.Bridge), l), func(x *leg) bool {
			return !x.stale && x.app != "AgentLogin" && x.app != "Park" && x.app != "ParkedCall"
		})
	}
}

// converse begins the segments of those who are in conversation, since when is
// not known, and notes who has left the others.
func (m afterGap) converse(alive []*leg) {
	for _, l := range alive {
		if l.open() && l.Segment.Start.IsZero() && (l.Segment.Claim != "" || len(m.parties(l)) > 0) {
			l.Segment.Unsure = true
		}
		m.settle(time.Time{}, nil, false, l)
	}
}

// serve finds out for which queue, and under which name, the agents answer
// that are alive.
func (m afterGap) serve(alive []*leg) {
	for _, l := range alive {
		if l.app != "AppQueue" || !l.Unsure && l.open() {
			continue
		}
		who := m.member(l)
		l.Offer = &who
		if phone := m.behind(l); l.Unsure && (phone == nil || !phone.open()) {
			s := m.mark(l)
			s.Queue, s.Agent, s.Username, s.Claim = who.Queue, who.Agent, who.Username, l.ID
			m.handOn(l, phone)
		}
	}
}

// member is for whom an agent answers: the queue of the caller in the same
// bridge, or else the only one of which the agent is a member, first among
// those of the call's callers, then among all.
func (m afterGap) member(l *leg) offer {
	itself := offer{Agent: l.device()}
	var near []offer
	for _, x := range l.call.sorted() {
		if x.app != "Queue" {
			continue
		}
		of := m.phones.of(x.Asked, l.device())
		if x.Bridge == l.Bridge && x.Bridge != "" {
			itself.Queue = x.Asked
			near = append(of, itself)[:1]
			break
		}
		near = append(near, of...)
	}
	if len(near) == 0 {
		near = m.phones.of("", l.device())
	}
	if len(near) == 1 {
		return near[0]
	}
	return itself
}

// vanish ends a leg whose Hangup was not heard. It reports whether a segment
// ended with it; when that was is known only if its last events were heard.
func (m afterGap) vanish(l *leg) (ended bool) {
	s := l.Segment
	ended = l.open() && (s.Unsure || s.Queue != "" || !s.Start.IsZero())
	l.Gone, l.stale = true, false
	m.isolate(l)
	if ended {
		if s.Reason == "" || l.Bridge != "" {
			s.Alone = time.Time{}
		}
		s.Unsure = s.Unsure || s.Start.IsZero()
		m.finish(l, s.Alone)
	} else {
		l.archive()
	}
	m.served(l)
	m.part(l, time.Time{})
	return ended
}

// retally takes a queue's counts and returns by how much they went on unheard.
// Counts that are smaller than before began anew when Asterisk restarted, and
// hold nothing of what ended then.
func (m afterGap) retally(ev ami.Message) (missed tally, anew bool) {
	queue := ev.Get("Queue")
	if !m.Wants(queue, &source.Call{}) {
		return tally{}, false
	}
	completed, _ := strconv.Atoi(ev.Get("Completed")) // what is no number is none
	abandoned, _ := strconv.Atoi(ev.Get("Abandoned"))
	now := tally{completed, abandoned}
	before, known := m.tallies[queue]
	m.tallies[queue] = now
	switch {
	case !known:
		return tally{}, false
	case now.Completed < before.Completed || now.Abandoned < before.Abandoned:
		return now, true
	}
	return tally{now.Completed - before.Completed, now.Abandoned - before.Abandoned}, false
}
