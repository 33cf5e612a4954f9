package asterisk

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/source"
)

// call is all that shares one Linkedid.
type call struct {
	source.Call
	Traced    bool   // the numbers are those of the caller's own leg
	From      string // the device that began it; empty: not seen
	Phone     bool   // that is an agent's phone
	Login     bool   // an agent waits in it for calls, or somebody listens to another: it is no call itself
	Queue     string // the last one its caller entered, of those wanted
	Left      string // how a caller left a queue unserved, the last time
	Dial      string // how the last attempt to reach somebody ended
	Connected bool   // two have spoken
	Ended     bool   // call_end was raised
	Legs      map[string]*leg
}

// leg is one channel, by its Uniqueid.
type leg struct {
	ID, Channel string
	Number      string     // of whom the channel is
	Name        string     // likewise
	Began       bool       // it began a call
	Caller      bool       // it waits or waited in a queue
	Gone        bool       // its Hangup was seen
	Unsure      bool       // it was found alive after a gap: what it did before is not known
	Bridge      string     // it is in this bridge now
	Holding     bool       // there it waits, and hears nobody: parked, or logged in to a pool
	Bridged     []span     // when it was in bridges
	Place       string     // in the dialplan, when it entered its bridge
	Hung        bool       // its own end asked for the hangup
	Held        time.Time  // it has put its peer on hold since then
	Dial        *dial      // it was called
	Offer       *offer     // by a queue
	Picked      bool       // it picked up a call to another phone
	Wait        *stay      // in a queue
	Asked       string     // the queue that the dialplan named last
	Files       []*file    // it is recorded to them
	Options     string     // of the MixMonitor that the dialplan starts
	Segment     *segment   // what it is to an agent; nil: it is no agent's leg
	Segments    int        // how many it has had
	Past        []*segment // those that are done, for what Asterisk says late

	call  *call
	stale bool   // alive before the gap, not seen again yet
	found bool   // in conversation after the gap, and not heard to begin it
	app   string // that it ran then
}

// span is a time that may not be over.
type span struct{ From, To time.Time }

// dial is a call to a leg.
type dial struct {
	By       string // the leg that called; empty: Asterisk itself
	At, End  time.Time
	Status   string // how it ended, as Asterisk has it
	Rang     bool   // agent_ring was raised
	Answered bool
	For      offer // as which agent it rang, and for which queue

	through []*leg // the Local channels that stand for the leg
}

// offer is a queue's call to one of its members.
type offer struct {
	Queue, Agent, Username string

	device string // of the member's phone, as the queue has it; empty: it does not say
}

// stay is a caller's time in a queue.
type stay struct {
	Queue     string
	Left      time.Time // zero: waits
	Abandoned bool      // Asterisk counts the caller among those who gave up
}

// file is a recording of a leg.
type file struct {
	Name        string // as Asterisk has it
	Start, Stop time.Time
	Bridged     bool   // it has only what is heard in bridges
	Dual        bool   // agent and caller on a channel each
	Told        bool   // MixMonitorStart came
	Used        string // the segment that it was given to as its own
}

// segment is one agent's part of a call.
type segment struct {
	source.Segment
	Claim          string    // the leg that the queue called
	Called         string    // the member whom it called, if another one answered
	Call           string    // the call it is part of, when that is not its leg's
	Unsure         bool      // since when they hear each other is not known
	Deferred       string    // it may be a consultation, while somebody waits in this call
	Alone          time.Time // nobody is left since then
	Connected      bool      // agent_connect was raised
	Told           time.Time // when AgentComplete gave the reason
	Transferred    bool      // the agent passed the call on
	TransferRaised bool      // transfer_termination was raised
	Peers          []string  // the legs of the others
	Left           string    // the leg that left last
	LeftMoved      bool      // and went elsewhere in the dialplan
	By             string    // who had asked for the hangup by then; empty: nobody
	Sources        []tape
}

// tape is a leg that is or was recorded, and heard in a segment.
type tape struct {
	Leg string
	Own bool // it is or stands for the agent's
}

// alive counts the legs that have not hung up.
func (c *call) alive() int {
	n := 0
	for _, l := range c.Legs {
		if !l.Gone {
			n++
		}
	}
	return n
}

// sorted returns the legs in an order that does not change.
func (c *call) sorted() []*leg {
	return slices.SortedFunc(maps.Values(c.Legs), byID)
}

func byID(a, b *leg) int { return strings.Compare(a.ID, b.ID) }

// local reports whether the leg is half of a Local channel, which stands for
// another one and never for a person.
func (l *leg) local() bool { return strings.HasPrefix(l.Channel, "Local/") }

// device is the channel's name without its serial number: PJSIP/a1.
func (l *leg) device() string {
	name, _, _ := cutLast(l.Channel, "-")
	return name
}

// pair is what both halves of a Local channel have in common, its name without
// ;1 or ;2; empty when the leg is none.
func (l *leg) pair() string {
	if !l.local() {
		return ""
	}
	name, _, _ := cutLast(l.Channel, ";")
	return name
}

// open reports whether the leg is an agent's that has not ended.
func (l *leg) open() bool { return l.Segment != nil && !l.Segment.Done && !l.Gone }

// answered reports whether the leg was called and has answered.
func (l *leg) answered() bool { return l.Dial != nil && l.Dial.Answered }

// spoke reports whether the leg has heard somebody.
func (l *leg) spoke() bool {
	return len(l.Past) > 0 || l.Segment != nil && (l.Segment.Unsure || !l.Segment.Start.IsZero())
}

// spies notes that the leg listens to others: it makes no call.
func (l *leg) spies() {
	if l.ID == l.call.ID && !l.call.Connected {
		l.call.Login = true
	}
}

// enter notes that the leg is in a bridge.
func (l *leg) enter(bridge string, holding bool, at time.Time) {
	l.Bridge, l.Holding = bridge, holding
	if n := len(l.Bridged); n < 100 && (n == 0 || !l.Bridged[n-1].To.IsZero()) {
		l.Bridged = append(l.Bridged, span{From: at})
	}
}

// leave notes that it is in none.
func (l *leg) leave(at time.Time) {
	l.Bridge, l.Holding = "", false
	if n := len(l.Bridged); n > 0 && l.Bridged[n-1].To.IsZero() {
		l.Bridged[n-1].To = at
	}
}

// during is how much of the span was between from and to.
func (s span) during(from, to time.Time) time.Duration {
	if from.Before(s.From) {
		from = s.From
	}
	if !s.To.IsZero() && s.To.Before(to) {
		to = s.To
	}
	return max(to.Sub(from), 0)
}

// position is how much was recorded to a file of the leg at a moment.
func (l *leg) position(f *file, at time.Time) time.Duration {
	if !f.Stop.IsZero() && f.Stop.Before(at) {
		at = f.Stop
	}
	if !f.Bridged {
		return max(at.Sub(f.Start), 0)
	}
	total := time.Duration(0)
	for _, s := range l.Bridged {
		total += s.during(f.Start, at)
	}
	return total
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// parseID says when the channel was made of which the id is the Uniqueid or
// Linkedid, [systemname-]seconds.serial.
func parseID(id string) (sec, serial int64, ok bool) {
	if _, rest, found := cutLast(id, "-"); found {
		id = rest
	}
	first, last, found := strings.Cut(id, ".")
	sec, err1 := strconv.ParseInt(first, 10, 64)
	serial, err2 := strconv.ParseInt(last, 10, 64)
	return sec, serial, found && err1 == nil && err2 == nil
}

// older reports whether the call a began before the call b, as their Linkedids
// say.
func older(a, b string) bool {
	aSec, aSerial, aOK := parseID(a)
	bSec, bSerial, bOK := parseID(b)
	return aOK && bOK && (aSec < bSec || aSec == bSec && aSerial < bSerial)
}
