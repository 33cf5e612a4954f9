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
	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

const (
	minFetch      = 16
	maxFetch      = 512
	orderedFetch  = 64              // the most in a cluster where calls are ordered: after its keeper is lost, all comes again first
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

	least    int           // records to ask for at once
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

// puller gets a lane its records, from the consumer of its service.
type puller struct {
	l    *Lane
	feed feed
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
func (p *puller) nudge(now time.Time) {
	p.l.mu.Lock()
	lost := p.feed.unanswered(now)
	gap := !p.feed.gap.IsZero() && now.Sub(p.feed.gap) > gapPatience
	p.l.mu.Unlock()
	if gap {
		p.reattach()
	}
	if lost {
		p.l.poke()
	}
}

// attach makes the lane's consumer, which begins above the floor, and listens
// to it. What was taken up and is still stored comes again, and is recognised.
// In one run of the server the lane always listens at the same place, since a
// request on its way may be answered by the consumer after the one it was meant
// for.
func (p *puller) attach(ctx context.Context, eng *engine.Engine) error {
	p.l.q.store.Events.CommitMu.Lock() // so that no record is counted twice, or not at all
	defer p.l.q.store.Events.CommitMu.Unlock()
	s, err := eng.Stream(ctx, record.Events)
	if err == nil && !p.l.q.store.Events.Same(s) {
		err = journal.ErrReplaced
	}
	if err != nil {
		return fmt.Errorf("attach lane %s: %w", p.l.name, err)
	}
	return p.attachAt(ctx, eng, s.CachedInfo().State.LastSeq)
}

// attachAt does so while nothing is stored behind last.
func (p *puller) attachAt(ctx context.Context, eng *engine.Engine, last uint64) error {
	p.l.mu.Lock()
	p.l.win.Clamp(last)
	p.l.retrying.lot.clamp(last)
	start, sub := p.l.win.Floor()+1, p.feed.sub
	if p.feed.eng != eng || p.feed.renew {
		sub = nil
	}
	p.l.mu.Unlock()
	pending, err := p.makeConsumer(ctx, eng.JS, start)
	if err == nil && sub == nil {
		sub, err = eng.NC.Subscribe(eng.NC.NewInbox(), p.arrive)
	}
	if err != nil {
		return fmt.Errorf("attach lane %s: %w", p.l.name, err)
	}
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if old := p.feed.sub; old != nil && old != sub {
		_ = old.Unsubscribe()
	}
	p.attached(feed{
		eng: eng, sub: sub, least: minFetch, patience: fetchExpires,
		waiting: pending, counted: last,
	})
	p.l.fresh, p.l.shadows = keepTaken(p.l.fresh, p.l.win.High), 0
	for _, e := range p.l.fresh {
		if e.shadow {
			p.l.shadows++
		}
	}
	p.l.poke()
	return nil
}

// attached takes up a new feed in place of the old one.
func (p *puller) attached(f feed) {
	f.size, f.average, f.counted = f.least, p.feed.average, max(f.counted, p.feed.counted)
	p.feed = f
}

// reattach makes the consumer anew after it vanished, as when an operator
// deleted it or its stream.
func (p *puller) reattach() {
	p.l.mu.Lock()
	eng := p.feed.eng
	needless := p.feed.attaching || eng == nil || eng != p.l.q.store.Engine()
	p.feed.attaching = p.feed.attaching || !needless
	p.l.mu.Unlock()
	if needless {
		return
	}
	p.l.q.store.Background(func(ctx context.Context) {
		p.l.q.store.Log.Warn("consumer rebuilt", "service", p.l.name)
		if err := p.l.q.base.attach(ctx, p.l, eng); errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, journal.ErrReplaced) {
			p.l.q.store.Fail(err) // a restart of the server makes it again, and has the lanes begin anew
		} else if err != nil {
			p.l.q.store.Log.Error("consumer not rebuilt", "service", p.l.name, "err", err)
			p.l.mu.Lock()
			p.feed.attaching = false
			p.l.mu.Unlock()
		}
	})
}

// attachOnce attaches a lane that never was. When that fails, the first Next
// tries again.
func (p *puller) attachOnce(eng *engine.Engine) {
	p.l.mu.Lock()
	fresh := p.feed.eng == nil && !p.feed.attaching
	p.feed.attaching = p.feed.attaching || fresh
	p.l.mu.Unlock()
	if !fresh {
		return
	}
	if err := p.l.q.base.attach(p.l.q.store.Ctx, p.l, eng); err != nil {
		p.l.q.store.Log.Warn("consumer not created yet", "service", p.l.name, "err", err)
		p.l.mu.Lock()
		p.feed.attaching = false
		p.l.mu.Unlock()
	}
}

// reset forgets everything about EVENTS, but for what is under way: its end is no
// end of what has its sequence now.
func (l *Lane) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.era++
	l.win, l.fresh, l.shadows, l.moved, l.order.restored = lane.Window{}, nil, 0, true, 0
	l.pull.feed, l.retrying.lot.over, l.retrying.lot.past, l.tally.peeked = feed{average: l.pull.feed.average}, nil, nil, peek{}
	l.trims.to, l.trims.at = 0, time.Time{}
	l.acks.forget()
}

// lose forgets what lay in RETRY, and returns how much. What is in flight
// or ready of it has its body, and goes on.
func (r *retrying) lose() int {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	lost := r.lot.Len() + r.unread
	r.lot, r.unread = parkingLot{past: r.lot.past}, 0
	for call, c := range r.l.order.chains {
		before := len(c.followers)
		c.followers = slices.DeleteFunc(c.followers, func(f follower) bool { return f.item != nil })
		lost += before - len(c.followers)
		c.turns = r.l.order.holders(call)
		if c.turns == 0 {
			c.turns = 1
			r.l.order.advance(call)
		}
	}
	return lost
}

// holders is how many entries of a call have the turn, but for parked ones.
func (o *order) holders(call string) int {
	n := 0
	for e := range o.l.out {
		if e.Call == call {
			n++
		}
	}
	for _, e := range o.l.ready {
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
func (p *puller) arrive(m *nats.Msg) {
	p.l.mu.Lock()
	stale := m.Sub != p.feed.sub
	p.l.mu.Unlock()
	if stale {
		return // of an earlier run of the server
	}
	if len(m.Data) == 0 && m.Header.Get("Status") != "" {
		p.requestEnded(m.Header)
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
		Record: record.Read(m), Seq: at.Seq, Accepted: p.l.q.store.Clock.Moment(stored, time.Now()), stored: stored, Replayed: m.Header.Get(record.HeadReplayed) != "",
		lane: p.l, ack: m.Reply,
	}
	p.l.q.base.accept(p.l, e, at)
}

// accept queues a delivered entry, unless it was finished before. The shadow of a parked one is queued too: its sequence is finished in its
// turn, for those before it are still owed. The n-th delivery of the consumer
// counts once: what one before it has sent comes again.
//
// One whose predecessor did not come is not taken: the window would take that one
// for finished. An earlier consumer sent it, or the consumer is made anew soon,
// see nudge; it comes again in either case.
func (p *puller) accept(e *Entry, nth uint64) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	defer p.l.poke() // also for a known one: the next may have to be asked for
	f := &p.feed
	e.era = p.l.era
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
	if p.l.eraser.erasing.has(e) {
		return
	}
	if e.Seq <= p.l.win.High {
		p.l.win.Passed(e.Seq)
		if !p.l.win.Take(e.Seq) {
			return
		}
	}
	at, found := slices.BinarySearchFunc(p.l.fresh, e, bySeq)
	if found {
		return
	}
	if e.shadow = p.l.retrying.lot.tookOver(e); e.shadow {
		p.l.shadows++
	} else {
		p.l.retrying.lot.released(e.Seq) // of another record
	}
	p.l.fresh = slices.Insert(p.l.fresh, at, e)
}

// count notes that a record was stored.
func (p *puller) count(seq uint64, size int64) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if seq <= p.feed.counted {
		return
	}
	p.feed.counted = seq
	p.feed.average = (p.feed.average*7 + size) / 8
	if seq > p.feed.arrived {
		p.feed.waiting++
	}
}

// requestEnded reads JetStream's word that a request found less than it asked
// for, or that the consumer is gone.
func (p *puller) requestEnded(h nats.Header) {
	p.l.mu.Lock()
	missing := int(record.HeadInt(h, "Nats-Pending-Messages"))
	if missing == 0 {
		missing = p.feed.asked
	}
	p.feed.asked = max(p.feed.asked-missing, 0)
	gone := h.Get("Status") == "503" || h.Get("Description") == "Consumer Deleted"
	if gone {
		p.feed.pausedTo = time.Now().Add(reattachPause)
	}
	p.l.mu.Unlock()
	if gone {
		p.reattach()
	}
	p.l.poke()
}
