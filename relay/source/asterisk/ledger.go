package asterisk

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"callrelay/relay/source"
)

// Bounds of what the tracker remembers.
const (
	maxCalls = 20_000 // in progress; beyond it the oldest is forgotten and counted
	maxEnded = 1_000  // ended, for events that come late
)

// ledger is the calls that are known, and their legs: who began each, whom it
// reaches, when it starts and ends.
type ledger struct {
	graph
	reporter
	phones    phones
	calls     map[string]*call
	ended     []*call // ended ones, oldest first
	tallies   map[string]tally
	census    census
	dials     bool      // dials are heard: a phone that is called or calls is seen as one
	undialled bool      // one was called, and no dial heard
	since     time.Time // the source hears Asterisk without a break since then, by Asterisk's clock
}

// party is what an event says of a leg.
type party struct {
	ID, Linked, Channel string
	Number, Name        string // of whom the leg is
	Connected           string // the number of whom it is connected with
	Exten               string
}

// find returns the leg an event speaks of, nil when it is not known.
func (t *ledger) find(p party, at time.Time) *leg {
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
func (t *ledger) join(p party, at time.Time) *leg {
	if l := t.find(p, at); l != nil {
		return l
	}
	l := &leg{ID: p.ID, Channel: p.Channel, Number: p.Number, Name: p.Name, Began: p.ID == p.Linked}
	t.census.hear(l)
	t.addLeg(l, t.callOf(p.Linked, at))
	t.add(l)
	if c := l.call; l.ID == c.ID {
		c.From, c.Phone = l.device(), t.phones.is(l.device())
		if !l.local() && !c.Phone {
			c.Direction = source.Inbound
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
func (t *ledger) identify(l *leg, p party, queue bool) {
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

// reaches notes whom a call reaches: it gives the direction of one that a
// phone began, or Asterisk itself.
func (t *ledger) reaches(c *call, to *leg) {
	if c.Direction != "" || to.local() || to.ID == c.ID {
		return
	}
	switch phone := t.phone(to); {
	case phone && c.Phone:
		c.Direction = source.Internal
	case phone: // Asterisk called it first: it is who calls, and not who is called
		c.Phone, c.DNIS = true, ""
	default:
		c.Direction = source.Outbound
	}
	if c.Direction != "" {
		t.start(c)
	}
}

// phone reports whether a leg is of an agent's phone: one that a queue calls,
// whatever stands between, or that is known as one.
func (t *ledger) phone(l *leg) bool {
	offered := func(x *leg) bool { return x.Offer != nil }
	return !l.local() && (offered(l) || l.Segment != nil && l.Segment.Queue != "" || t.phones.is(l.device()) || slices.ContainsFunc(t.before(l), offered))
}

// start raises call_start, with the direction that is known or likely by now.
func (t *ledger) start(c *call) {
	if c.Direction == "" {
		switch {
		case c.Phone:
			c.Direction = source.Internal
		case c.From == "" || c.From[0] != 'L':
			c.Direction = source.Inbound
		default:
			c.Direction = source.Outbound
		}
	}
	t.Start(&c.Call)
}

// want notes that a call is in a queue of the source.
func (t *ledger) want(c *call) {
	c.Wanted = true
	t.start(c)
}

// callOf returns the call in progress of that Linkedid, made known if it was
// not. Its beginning is known unless it began before the source listened.
func (t *ledger) callOf(linked string, at time.Time) *call {
	if c := t.calls[linked]; c != nil {
		return c
	}
	if c := t.past(linked); c != nil { // its end was reported too early: not all of its legs show in the events of this login
		t.ended = slices.DeleteFunc(t.ended, func(x *call) bool { return x == c })
		t.calls[linked] = c
		return c
	}
	c := &call{Call: source.Call{ID: linked, Rang: []string{}, Wanted: len(t.Queues) == 0}, Legs: map[string]*leg{}}
	sec, _, ok := parseID(linked)
	if c.Doubt = ok && sec < t.since.Unix(); !c.Doubt {
		c.Start = at
	}
	t.bound()
	t.calls[linked] = c
	return c
}

func (t *ledger) addLeg(l *leg, c *call) {
	l.call = c
	c.Legs[l.ID] = l
}

// move takes a leg over to another call: Asterisk gives all that were ever
// joined in one conversation the oldest Linkedid among them. It gives that of
// an agent who is logged in to a pool to all whom he serves, too; they stay
// calls of their own.
func (t *ledger) move(l *leg, linked string, at time.Time) {
	to := t.calls[linked]
	if l.call.Login || t.past(linked) != nil || to != nil && to.Login {
		return
	}
	t.transfer(l, t.callOf(linked, at), at)
}

// transfer makes a leg another call's.
func (t *ledger) transfer(l *leg, to *call, at time.Time) {
	from := l.call
	delete(from.Legs, l.ID)
	t.addLeg(l, to)
	if from.alive() > 0 {
		return
	}
	for _, l := range t.lent(from) {
		l.Segment.Call = to.ID
	}
	if from.Started {
		t.end(from, at)
		return
	}
	delete(t.calls, from.ID) // it was no call, but a way into another
	for _, l := range from.Legs {
		t.addLeg(l, to)
	}
}

// end closes a call that has no leg left.
func (t *ledger) end(c *call, at time.Time) {
	if c.Wanted && !c.Ended && !c.Login {
		t.start(c)
		c.Ended = true
		e := t.About(&c.Call, at)
		e.CallResult = c.result()
		t.End(&c.Call, e, c.Queue, at)
	}
	delete(t.calls, c.ID)
	t.ended = append(t.ended, c)
	if len(t.ended) > maxEnded {
		t.forget(t.ended[0])
		t.ended = t.ended[1:]
	}
}

// past returns the ended call of that Linkedid; nil when there is none.
func (t *ledger) past(linked string) *call {
	if i := slices.IndexFunc(t.ended, func(c *call) bool { return c.ID == linked }); i >= 0 {
		return t.ended[i]
	}
	return nil
}

func (t *ledger) forget(c *call) {
	for _, l := range c.Legs {
		t.remove(l)
	}
}

// bound forgets the oldest call when there are too many to remember. It can
// only be that their ends are never reported.
func (t *ledger) bound() {
	if len(t.calls) < maxCalls {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(t.calls)), func(a, b *call) int {
		if older(a.ID, b.ID) {
			return -1
		}
		return 1
	})
	t.forget(oldest)
	delete(t.calls, oldest.ID)
	t.Miss("more than %d calls in progress", maxCalls)
}

// result is how a call ended.
func (c *call) result() string {
	switch {
	case c.Connected:
		return source.Connected
	case c.Left == source.LeftHangup:
		return source.Abandoned
	case c.Left != "":
		return source.Deflected
	case c.Doubt: // who knows what was not heard
		return source.Unknown
	case c.Dial == "BUSY":
		return source.Busy
	case c.Dial == "CONGESTION", c.Dial == "CHANUNAVAIL":
		return source.Failed
	}
	return source.Missed
}

// agent reports whether a leg that hears somebody is an agent's without a
// queue: its phone's, unless dials are not heard, or one that the dialplan
// records and that is no caller's and not of one whom a phone called. Where
// relay.toml says which devices are phones, no other is.
func (t *ledger) agent(l *leg) bool {
	switch {
	case l.local(), l.Gone, len(t.phones.patterns) > 0 && !t.phone(l):
		return false
	case t.phone(l) && (t.dials || !t.undialled):
		return true
	}
	return len(l.Files) > 0 && l.ID != l.call.ID && !l.Caller && !l.call.Phone
}

// nameOf is whose phone a leg is: the queues' name for it, or its own.
func (t *ledger) nameOf(l *leg) string {
	return cmp.Or(t.phones.devices[l.device()], l.Name)
}

// callFor is the call that the leg's segment is part of.
func (t *ledger) callFor(l *leg) *call {
	if l.Segment == nil || l.Segment.Call == "" {
		return l.call
	}
	return cmp.Or(t.calls[l.Segment.Call], t.past(l.Segment.Call), l.call)
}

// itself is who a phone rings for without a queue.
func (t *ledger) itself(l *leg) offer {
	return offer{Agent: l.device(), Username: t.nameOf(l)}
}

// count goes on with a queue's tally as the queue itself does.
func (t *ledger) count(queue string, more tally) {
	if n, known := t.tallies[queue]; known {
		t.tallies[queue] = tally{n.Completed + more.Completed, n.Abandoned + more.Abandoned}
	}
}
