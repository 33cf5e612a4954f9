package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

const (
	minFetch      = 16
	maxFetch      = 512
	minFetchBytes = 16 << 10        // what a lane may hold in advance
	maxFetchBytes = 256 << 10       // the same
	allFetchBytes = 16 << 20        // what all may hold, beyond the least
	fetchExpires  = time.Minute     // a request that found less than it asked for ends then
	fetchGrace    = 5 * time.Second // how much later the end of a request may be told, or the first record come
	reattachPause = 250 * time.Millisecond
	gapPatience   = time.Second // for the deliveries of the consumer before the present one
)

// feed is how a lane gets its records: from the consumer of its service. Its
// fields are guarded by the lane's mutex.
type feed struct {
	eng       *engine.Engine // the run of the server that the rest belongs to; nil: not attached
	sub       *nats.Subscription
	attaching bool

	least    int // records to ask for at once
	most     int
	patience time.Duration // how long JetStream keeps a request that found less

	asked   int       // records on their way
	expires time.Time // when to stop waiting for them
	size    int       // of the next request
	last    time.Time // when the last request was made
	average int64     // bytes of a record

	waiting int       // records stored but not delivered by JetStream yet
	counted uint64    // the highest sequence in that count
	arrived uint64    // the highest sequence delivered
	nth     uint64    // how many the consumer has delivered
	gap     time.Time // since when others come than the next after these; zero: they do not

	pausedTo  time.Time // the consumer was not there: nothing is asked for until then
	renew     bool      // the place it listens at is to be another one
	unsettled bool      // deliveries may be missing between those that came; used in a cluster
	missing   int       // how many of them, by the last count
	recall    int       // how many of these to ask for now
	elsewhere int       // parked deliveries that the keeper has taken up; used in a cluster
}

// until is how long to wait for JetStream at most.
func (f *feed) until(now time.Time) time.Duration {
	if now.Before(f.pausedTo) {
		return f.pausedTo.Sub(now)
	}
	if f.asked == 0 {
		return fetchGrace
	}
	return f.expires.Sub(now)
}

// unanswered reports whether a request was lost, as when the consumer vanished
// just then.
func (f *feed) unanswered(now time.Time) bool {
	return f.asked > 0 && (now.After(f.expires) || f.waiting > 0 && now.Sub(f.last) > fetchGrace)
}

// nudge makes Next look again when a request was lost, and the consumer anew when
// a delivery was.
func (l *Lane) nudge(now time.Time) {
	l.mu.Lock()
	lost := l.feed.unanswered(now)
	gap := !l.feed.gap.IsZero() && now.Sub(l.feed.gap) > gapPatience
	l.mu.Unlock()
	if gap {
		l.reattach()
	}
	if lost {
		l.poke()
	}
}

// attach makes the lane's consumer, which begins above the floor, and listens
// to it. What was taken up and is still stored comes again, and is recognised.
// In one run of the server the lane always listens at the same place, since a
// request on its way may be answered by the consumer after the one it was meant
// for.
func (l *Lane) attach(ctx context.Context, eng *engine.Engine) error {
	l.q.events.CommitMu.Lock() // so that no record is counted twice, or not at all
	defer l.q.events.CommitMu.Unlock()
	s, err := eng.Stream(ctx, record.Events)
	if err == nil && !l.q.events.Same(s) {
		err = errReplaced
	}
	if err != nil {
		return fmt.Errorf("attach lane %s: %w", l.name, err)
	}
	return l.attachAt(ctx, eng, s.CachedInfo().State.LastSeq)
}

// attachAt does so while nothing is stored behind last.
func (l *Lane) attachAt(ctx context.Context, eng *engine.Engine, last uint64) error {
	l.mu.Lock()
	l.win.Clamp(last)
	l.lot.clamp(last)
	start, sub := l.win.Floor()+1, l.feed.sub
	if l.feed.eng != eng || l.feed.renew {
		sub = nil
	}
	l.mu.Unlock()
	pending, err := l.makeConsumer(ctx, eng.JS, start)
	if err == nil && sub == nil {
		sub, err = eng.NC.Subscribe(eng.NC.NewInbox(), l.arrive)
	}
	if err != nil {
		return fmt.Errorf("attach lane %s: %w", l.name, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.feed.sub; old != nil && old != sub {
		_ = old.Unsubscribe()
	}
	l.attached(feed{
		eng: eng, sub: sub, least: minFetch, most: maxFetch, patience: fetchExpires,
		waiting: pending, counted: last,
	})
	l.fresh, l.shadows = keepTaken(l.fresh, l.win.High), 0
	for _, e := range l.fresh {
		if e.shadow {
			l.shadows++
		}
	}
	l.poke()
	return nil
}

// attached takes up a new feed in place of the old one.
func (l *Lane) attached(f feed) {
	f.size, f.average, f.counted = f.least, l.feed.average, max(f.counted, l.feed.counted)
	l.feed = f
}

// reattach makes the consumer anew after it vanished, as when an operator
// deleted it or its stream.
func (l *Lane) reattach() {
	l.mu.Lock()
	eng := l.feed.eng
	needless := l.feed.attaching || eng == nil || eng != l.q.engine.Load()
	l.feed.attaching = l.feed.attaching || !needless
	l.mu.Unlock()
	if needless {
		return
	}
	l.q.background(func(ctx context.Context) {
		l.q.o.Log.Warn("consumer rebuilt", "service", l.name)
		if err := l.q.base.attach(ctx, l, eng); errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, errReplaced) {
			l.q.fail(err) // a restart of the server makes it again, and has the lanes begin anew
		} else if err != nil {
			l.q.o.Log.Error("consumer not rebuilt", "service", l.name, "err", err)
			l.mu.Lock()
			l.feed.attaching = false
			l.mu.Unlock()
		}
	})
}

// attachOnce attaches a lane that never was. When that fails, the first Next
// tries again.
func (l *Lane) attachOnce(eng *engine.Engine) {
	l.mu.Lock()
	fresh := l.feed.eng == nil && !l.feed.attaching
	l.feed.attaching = l.feed.attaching || fresh
	l.mu.Unlock()
	if !fresh {
		return
	}
	if err := l.q.base.attach(l.q.ctx, l, eng); err != nil {
		l.q.o.Log.Warn("consumer not created yet", "service", l.name, "err", err)
		l.mu.Lock()
		l.feed.attaching = false
		l.mu.Unlock()
	}
}

// reset forgets everything about EVENTS, but for what is under way: its end is no
// end of what has its sequence now.
func (l *Lane) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.era++
	l.win, l.fresh, l.shadows, l.moved, l.restored = lane.Window{}, nil, 0, true, 0
	l.feed, l.lot.over, l.peeked = feed{average: l.feed.average}, nil, peek{}
	l.trimmedTo, l.trimmedAt = 0, time.Time{}
	l.acks.forget()
}

// loseParked forgets what lay in RETRY, and returns how much. What is in flight
// or ready of it has its body, and goes on.
func (l *Lane) loseParked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.lot.Len() + l.unread
	l.lot, l.unread = parkingLot{}, 0
	for call, c := range l.chains {
		before := len(c.followers)
		c.followers = slices.DeleteFunc(c.followers, func(f follower) bool { return f.item != nil })
		lost += before - len(c.followers)
		c.turns = l.holders(call)
		if c.turns == 0 {
			c.turns = 1
			l.advance(call)
		}
	}
	return lost
}

// holders is how many entries of a call have the turn, but for parked ones.
func (l *Lane) holders(call string) int {
	n := 0
	for e := range l.out {
		if e.Call == call {
			n++
		}
	}
	for _, e := range l.ready {
		if e.Call == call {
			n++
		}
	}
	return n
}

// keepTaken drops the entries that JetStream will deliver again.
func keepTaken(fresh []*Entry, high uint64) []*Entry {
	var kept []*Entry
	for _, e := range fresh {
		if e.Seq <= high {
			kept = append(kept, e)
		}
	}
	return kept
}

// arrive takes what JetStream sends to the lane.
func (l *Lane) arrive(m *nats.Msg) {
	l.mu.Lock()
	stale := m.Sub != l.feed.sub
	l.mu.Unlock()
	if stale {
		return // of an earlier run of the server
	}
	if len(m.Data) == 0 && m.Header.Get("Status") != "" {
		l.requestEnded(m.Header)
		return
	}
	at, ok := record.ParsePlace(m.Reply)
	if !ok {
		return
	}
	stored := at.At.UnixNano()
	if accepted := record.HeadInt(m.Header, record.HeadAccepted); accepted != 0 {
		stored = accepted // it came by way of a spool
	}
	e := &Entry{
		Record: record.Read(m), Seq: at.Seq, Accepted: l.q.clock.Moment(stored, time.Now()), stored: stored, Replayed: m.Header.Get(record.HeadReplayed) != "",
		lane: l, ack: m.Reply,
	}
	l.q.base.accept(l, e, at)
}

// accept queues a delivered entry, unless it was finished before. The shadow of a parked one is queued too: its sequence is finished in its
// turn, for those before it are still owed. The n-th delivery of the consumer
// counts once: what one before it has sent comes again.
//
// One whose predecessor did not come is not taken: the window would take that one
// for finished. An earlier consumer sent it, or the consumer is made anew soon,
// see nudge; it comes again in either case.
func (l *Lane) accept(e *Entry, nth uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.poke() // also for a known one: the next may have to be asked for
	f := &l.feed
	e.era = l.era
	f.asked = max(f.asked-1, 0)
	if nth > f.nth+1 {
		if f.gap.IsZero() {
			f.gap = time.Now()
		}
		return
	}
	f.gap = time.Time{}
	f.average = (f.average*7 + record.SizeOf(&e.Record)) / 8
	if nth == f.nth+1 {
		f.nth++
		if e.Seq <= f.counted {
			f.waiting--
		}
	}
	f.arrived = max(f.arrived, e.Seq)
	if l.erasing.has(e) {
		return
	}
	if e.Seq <= l.win.High {
		l.win.Passed(e.Seq)
		if !l.win.Take(e.Seq) {
			return
		}
	}
	at, found := slices.BinarySearchFunc(l.fresh, e, bySeq)
	if found {
		return
	}
	if e.shadow = l.lot.tookOver(e); e.shadow {
		l.shadows++
	} else {
		l.lot.released(e.Seq) // of another record
	}
	l.fresh = slices.Insert(l.fresh, at, e)
}

// count notes that a record was stored.
func (l *Lane) count(seq uint64, size int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq <= l.feed.counted {
		return
	}
	l.feed.counted = seq
	l.feed.average = (l.feed.average*7 + size) / 8
	if seq > l.feed.arrived {
		l.feed.waiting++
	}
}

// requestEnded reads JetStream's word that a request found less than it asked
// for, or that the consumer is gone.
func (l *Lane) requestEnded(h nats.Header) {
	l.mu.Lock()
	missing := int(record.HeadInt(h, "Nats-Pending-Messages"))
	if missing == 0 {
		missing = l.feed.asked
	}
	l.feed.asked = max(l.feed.asked-missing, 0)
	gone := h.Get("Status") == "503" || h.Get("Description") == "Consumer Deleted"
	if gone {
		l.feed.pausedTo = time.Now().Add(reattachPause)
	}
	l.mu.Unlock()
	if gone {
		l.reattach()
	}
	l.poke()
}
