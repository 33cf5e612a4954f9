package asterisk

import (
	"slices"
	"time"
)

// Bounds of what the tracker remembers.
const (
	maxCalls = 20_000 // in progress; beyond it the oldest is forgotten and counted
	maxPast  = 1_000  // ended, for events that come late
)

// tracker follows calls, and reports them. It knows legs, bridges, dials and
// queues, and no word of the manager interface. It does no I/O and reads no
// clock. It is not safe for concurrent use.
type tracker struct {
	graph
	reporter
	phones  phones
	calls   map[string]*call
	past    []*call // ended ones, oldest first
	tallies map[string]tally
	owed    []*leg    // callers who left a queue, nobody knows how yet
	dials   bool      // dials are heard: a phone that is called or calls is seen as one
	since   time.Time // the source hears Asterisk without a break since then, by Asterisk's clock
	last    time.Time // when it was heard last, by the same clock
}

// party is what an event says of a leg.
type party struct {
	ID, Linked, Channel string
	Number, Name        string // of whom the leg is
	Connected           string // the number of whom it is connected with
	Exten               string
}

// find returns the leg an event speaks of, nil when it is not known.
func (t *tracker) find(p party, at time.Time) *leg {
	l := t.legs[p.ID]
	if l == nil {
		return nil
	}
	l.stale = false
	if older(p.Linked, l.call.ID) {
		t.move(l, p.Linked, at)
	}
	return l
}

// join returns the leg an event speaks of, made known if it was not.
func (t *tracker) join(p party, at time.Time) *leg {
	if l := t.find(p, at); l != nil {
		return l
	}
	l := &leg{ID: p.ID, Channel: p.Channel, Number: p.Number, Name: p.Name}
	t.enrol(l, t.callOf(p.Linked, at))
	t.add(l)
	if c := l.call; l.ID == c.ID {
		c.From, c.Phone = l.device(), t.phones.is(l.device())
		if !l.local() && !c.Phone {
			c.Direction = inbound
		}
	}
	t.identify(l, p, false)
	if l.call.Direction != "" {
		t.start(l.call)
	}
	return l
}

// identify takes the caller's and the called number from the caller's leg:
// the one that the call began with, or else the first that enters a queue.
// Until one of them is seen, the others know with whom they are connected. The
// dialplan may set the number of somebody who calls in.
func (t *tracker) identify(l *leg, p party, queue bool) {
	c := l.call
	if l.ID != c.ID && !queue {
		if c.ANI == "" {
			c.ANI = p.Connected
		}
		return
	}
	if c.DNIS == "" && !c.Start.IsZero() && p.Exten != "s" && (l.ID == c.ID || c.From == "") {
		c.DNIS = p.Exten
	}
	if p.Number != "" && (!c.Traced || l.ID == c.ID && !c.Phone && !c.Connected) {
		c.ANI, c.Traced = p.Number, true
	}
}

// reaches notes whom a call reaches: it tells the direction of one that a
// phone began, or Asterisk itself.
func (t *tracker) reaches(c *call, to *leg) {
	if c.Direction != "" || to.local() || to.ID == c.ID {
		return
	}
	switch phone := t.phone(to); {
	case phone && c.Phone:
		c.Direction = internal
	case phone: // Asterisk called it first: it is who calls
		c.Phone = true
	default:
		c.Direction = outbound
	}
	if c.Direction != "" {
		t.start(c)
	}
}

// phone reports whether a leg is of an agent's phone.
func (t *tracker) phone(l *leg) bool {
	return !l.local() && (l.Offer != nil || l.Segment != nil && l.Segment.Queue != "" || t.phones.is(l.device()))
}

// start raises call_start, with the direction that is known or likely by now.
func (t *tracker) start(c *call) {
	if c.Direction == "" {
		switch {
		case c.Phone:
			c.Direction = internal
		case c.From == "" || c.From[0] != 'L':
			c.Direction = inbound
		default:
			c.Direction = outbound
		}
	}
	t.reporter.start(c)
}

// want notes that a call is in a queue of the source.
func (t *tracker) want(c *call) {
	c.Wanted = true
	t.start(c)
}

// callOf returns the call in progress of that Linkedid, made known if it was
// not. Its beginning is known unless it began before the source listened.
func (t *tracker) callOf(linked string, at time.Time) *call {
	if c := t.calls[linked]; c != nil {
		return c
	}
	if c := t.revive(linked); c != nil {
		return c
	}
	c := &call{ID: linked, Legs: map[string]*leg{}, Rang: []string{}, Wanted: len(t.queues) == 0}
	sec, _, ok := born(linked)
	if c.Doubt = ok && sec < t.since.Unix(); !c.Doubt {
		c.Start = at
	}
	t.bound()
	t.calls[linked] = c
	return c
}

func (t *tracker) enrol(l *leg, c *call) {
	l.call = c
	c.Legs[l.ID] = l
}

// move takes a leg over to another call: Asterisk gives all that were ever
// joined in one conversation the oldest Linkedid among them. It gives that of
// an agent who is logged in to a pool to all whom he serves, too; they stay
// calls of their own.
func (t *tracker) move(l *leg, linked string, at time.Time) {
	to := t.calls[linked]
	ended := slices.ContainsFunc(t.past, func(c *call) bool { return c.ID == linked })
	if l.call.Login || ended || to != nil && to.Login {
		return
	}
	t.transfer(l, t.callOf(linked, at), at)
}

// transfer makes a leg another call's.
func (t *tracker) transfer(l *leg, to *call, at time.Time) {
	from := l.call
	delete(from.Legs, l.ID)
	t.enrol(l, to)
	if from.alive() > 0 {
		return
	}
	for _, id := range from.Guests {
		if g := t.legs[id]; g != nil && g.Segment != nil && g.Segment.Call == from.ID {
			g.Segment.Call = to.ID
			to.Guests = append(to.Guests, id)
		}
	}
	if from.Started {
		t.end(from, at)
		return
	}
	delete(t.calls, from.ID) // it was no call, but a way into another
}

// hangup ends a leg: the segment that was on it, and the call if it was its
// last leg.
func (t *tracker) hangup(l *leg, cause string, at time.Time) {
	if l.Gone {
		return
	}
	connected := t.around(l)[1:]
	l.Gone = true
	t.unrung(l, cause, at)
	t.leftBy(l)
	t.displace(l)
	t.settle(at, l, false, connected...)
	if l.Segment != nil {
		t.finish(l, at)
	}
	t.part(l, at)
}

// part lets go of a leg that is gone. An agent's is remembered until the call
// ends: its transfer may be told late.
func (t *tracker) part(l *leg, at time.Time) {
	if l.Segment == nil {
		delete(l.call.Legs, l.ID)
		t.remove(l)
	}
	if l.call.alive() == 0 {
		t.end(l.call, at)
	}
}

// end closes a call that has no leg left.
func (t *tracker) end(c *call, at time.Time) {
	for _, id := range c.Guests {
		if g := t.legs[id]; g != nil && g.open() && g.Segment.Call == c.ID {
			t.finish(g, at)
		}
	}
	if c.Wanted && !c.Ended && !c.Login {
		t.start(c)
		c.Ended = true
		t.reporter.end(c, at)
	}
	delete(t.calls, c.ID)
	t.past = append(t.past, c)
	if len(t.past) > maxPast {
		t.forget(t.past[0])
		t.past = t.past[1:]
	}
}

// revive brings an ended call back that has a new leg: its end was told too
// early, because not all of its legs show in the events of this login.
func (t *tracker) revive(linked string) *call {
	i := slices.IndexFunc(t.past, func(c *call) bool { return c.ID == linked })
	if i < 0 {
		return nil
	}
	c := t.past[i]
	t.past = slices.Delete(t.past, i, i+1)
	t.calls[linked] = c
	return c
}

func (t *tracker) forget(c *call) {
	for _, l := range c.Legs {
		t.remove(l)
	}
}

// bound forgets the oldest call when there are too many to remember. It can
// only be that their ends are never told.
func (t *tracker) bound() {
	if len(t.calls) < maxCalls {
		return
	}
	var oldest *call
	for _, c := range t.calls {
		if oldest == nil || older(c.ID, oldest.ID) {
			oldest = c
		}
	}
	t.forget(oldest)
	delete(t.calls, oldest.ID)
	t.miss("more than %d calls in progress", maxCalls)
}

// result is how a call ended.
func (c *call) result() string {
	switch {
	case c.Connected:
		return "Connected"
	case c.Left == leftHangup:
		return "Abandoned"
	case c.Left != "":
		return "Deflected"
	case c.Doubt: // who knows what was not heard
		return "Unknown"
	case c.Dial == "BUSY":
		return "Busy"
	case c.Dial == "CONGESTION", c.Dial == "CHANUNAVAIL":
		return "Failed"
	}
	return "Missed"
}
