package asterisk

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is all that shares one Linkedid.
type call struct {
	ID        string    // Linkedid
	Start     time.Time // when it first appeared; zero: before the source listened
	ANI, DNIS string
	Traced    bool   // they are those of the caller's own leg
	Queue     string // the last one its caller entered, of those wanted
	Wanted    bool   // it is in one of the source's queues, or the source takes all
	Started   bool   // call_start was raised
	Ended     bool   // call_end was raised
	Legs      map[string]*leg
}

// leg is one channel, by its Uniqueid.
type leg struct {
	ID, Channel string
	Caller      bool      // it waits or waited in a queue
	Gone        bool      // its Hangup was seen
	Unsure      bool      // it was found alive after a gap: what it did before is not known
	Bridge      string    // it is in this bridge now
	Entered     time.Time // its first BridgeEnter
	Left        time.Time // its last BridgeLeave, zero when it came back
	Place       string    // in the dialplan, when it entered its bridge
	Hung        bool      // its own end asked for the hangup
	Queue       string    // that calls this leg, as found after a gap; its AgentConnect may be lost
	Member      string    // the agent's name in that queue
	Segment     *segment  // what it is to an agent; nil: it is no agent's leg

	call  *call
	stale bool // alive before the gap, not seen again yet
}

// segment is one agent's part of a call.
type segment struct {
	ID             string // the Uniqueid of the leg it began on
	Queue          string
	Agent          string // the interface
	Username       string // the member's name
	Recording      string // as Asterisk names the file
	Dual           bool   // the recording holds agent and caller on a channel each
	Connected      bool   // agent_connect was raised
	Reason         string // what AgentComplete says
	Transferred    bool   // the agent passed the call on
	First          bool   // the agent left the bridge before the peer
	Peer           string // the leg that left the bridge before the agent
	PeerMoved      bool   // and went elsewhere in the dialplan
	Done           bool   // agent_termination was raised
	End            time.Time
	TransferRaised bool
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

// open reports whether the leg is an agent's that has not ended.
func (l *leg) open() bool { return l.Segment != nil && !l.Segment.Done && !l.Gone }

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// born is when the channel was made of which the id is the Uniqueid or
// Linkedid, [systemname-]seconds.serial.
func born(id string) (sec, serial int64, ok bool) {
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
	aSec, aSerial, aOK := born(a)
	bSec, bSerial, bOK := born(b)
	return aOK && bOK && (aSec < bSec || aSec == bSec && aSerial < bSerial)
}
