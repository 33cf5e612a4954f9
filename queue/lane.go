package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

// Lane holds the deliveries owed to one service. It is safe for concurrent
// use.
type Lane struct {
	q    *Queue
	name string

	mu    sync.Mutex
	win   lane.Window
	fresh []*Entry        // from JetStream, not handed out yet, ascending
	ready []*Entry        // given back or come to their turn, ascending; they go first
	out   map[*Entry]bool // in flight
	moved bool            // the window changed since it was saved
	acks  acks            // used in a cluster
	stall stall

	retriesTurn bool // whether a due retry goes before a fresh entry
	shadows     int  // of fresh
	era         int  // how often EVENTS was replaced

	notify chan struct{} // holds a token when there is something to look at

	order    order
	pull     puller
	retrying retrying
	tally    tally
	eraser   eraser
	sweeper  sweeper
	trims    laneTrim
}

func newLane(q *Queue, name string) *Lane {
	l := &Lane{q: q, name: name, out: map[*Entry]bool{}, pull: puller{feed: feed{average: 1024}}, notify: make(chan struct{}, 1)}
	l.order.l, l.pull.l, l.retrying.l, l.tally.l, l.eraser.l, l.sweeper.l, l.trims.l, l.stall.l = l, l, l, l, l, l, l, l
	return l
}

// Next hands out between 1 and max entries: those given back first, then due
// retries and fresh ones in turn. It blocks until there is one, and returns
// ctx's error when that ends first.
func (l *Lane) Next(ctx context.Context, max int) ([]*Entry, error) {
	l.stall.await(+1)
	defer l.stall.await(-1)
	for {
		now := time.Now()
		entries, due := l.take(max, now)
		l.pull.fetch(now)
		entries = append(entries, l.retrying.load(ctx, due)...)
		if len(entries) > 0 {
			return entries, nil
		}
		if err := l.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// Wake says which parked entries come due before their time.
type Wake uint8

const (
	// WakeHeld is those that wait because of the endpoint: its breaker closed,
	// or it was changed.
	WakeHeld Wake = iota
	// WakeAll is every one.
	WakeAll
)

// Wake makes parked entries come due now.
func (l *Lane) Wake(w Wake) {
	l.mu.Lock()
	l.retrying.lot.wake(w == WakeAll, time.Now())
	l.retrying.wokenAll, l.retrying.wokenHeld = l.retrying.wokenAll || w == WakeAll, l.retrying.wokenHeld || w == WakeHeld
	l.mu.Unlock()
	l.poke()
}

// wait returns when something may have come.
func (l *Lane) wait(ctx context.Context) error {
	timer := time.NewTimer(l.until(time.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.q.store.Closed:
		return record.ErrUnavailable
	case <-l.notify:
	case <-timer.C:
	}
	return nil
}

// until is how long nothing will happen by itself.
func (l *Lane) until(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.pull.feed.until(now)
	if due, ok := l.retrying.lot.next(); ok && !l.order.awaitsEarlier() {
		wait = min(wait, due.Sub(now))
	}
	return max(wait, 0)
}

// take returns up to max entries that can go now, and the parked ones among
// them that are still to be read. It asks for more when few are left.
func (l *Lane) take(max int, now time.Time) (entries []*Entry, due []*parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(entries)+len(due) < max {
		l.retriesTurn = !l.retriesTurn
		if item := l.retrying.due(now, l.retriesTurn); item != nil {
			due = append(due, item)
		} else if e := l.turn(); e != nil {
			entries = append(entries, l.hand(e))
		} else if item := l.retrying.due(now, true); item != nil {
			due = append(due, item)
		} else {
			break
		}
	}
	if len(entries)+len(due) == max {
		l.poke() // another caller may find more
	}
	return entries, due
}

func (l *Lane) hand(e *Entry) *Entry {
	l.out[e] = true
	w := &l.stall
	w.since, w.times, w.lost, w.unread, w.why = time.Now(), 0, 0, nil, ""
	return e
}

// due takes a parked entry that is due, if it may go now.
func (r *retrying) due(now time.Time, may bool) *parked {
	if !may || len(r.l.ready) > 0 || !r.l.q.base.keeps() || !r.l.q.base.open(r.l) || r.l.order.awaitsEarlier() {
		return nil
	}
	return r.lot.pop(now)
}

// turn takes the next entry in memory whose turn it is, or returns nil.
func (l *Lane) turn() *Entry {
	if len(l.ready) > 0 {
		e := l.ready[0]
		l.ready[0], l.ready = nil, l.ready[1:]
		return e
	}
	for len(l.fresh) > 0 && !l.order.crowded() && l.q.base.open(l) {
		if e := l.nextFresh(); e != nil {
			return e
		}
	}
	return nil
}

// nextFresh takes up the next fresh entry. It returns nil when that one has to
// wait for an earlier one of its call, or is parked already.
func (l *Lane) nextFresh() *Entry {
	e := l.fresh[0]
	l.fresh[0], l.fresh = nil, l.fresh[1:]
	if e.Seq > l.win.High {
		l.win.Take(e.Seq)
		l.moved = true
		l.q.saving.stir()
	}
	mayGo := !e.shadow && (l.order.chains == nil || l.order.queueUp(e))
	if e.shadow {
		l.shadows--
		l.retrying.lot.released(e.Seq)
		l.leave(e)
	}
	if e.Seq >= l.order.restored {
		l.order.restored = 0
	}
	if !mayGo {
		return nil
	}
	return e
}

// load reads the bodies of due entries. One that cannot be read now is tried
// again soon; one that is gone was removed by an operator.
func (r *retrying) load(ctx context.Context, due []*parked) []*Entry {
	var entries []*Entry
	for _, item := range due {
		e, err := r.l.q.parking.unpark(ctx, r.l, item)
		r.l.mu.Lock()
		switch {
		case err == nil && !r.l.eraser.erasing.has(e):
			entries = append(entries, r.l.hand(e))
		case errors.Is(err, errAnother):
			r.l.order.advance(item.call)
		case err == nil || errors.Is(err, record.ErrNotFound):
			r.l.q.retries.finish(item)
			r.l.order.advance(item.call)
		default:
			r.l.stall.unread = err
			item.due = journal.SinceBegan(time.Now().Add(retryRead))
			r.lot.push(item)
		}
		r.l.mu.Unlock()
	}
	return entries
}

// retryRead is how long a parked entry waits that could not be read.
const retryRead = time.Second

// release ends an entry: it is delivered or dead.
func (l *Lane) release(e *Entry) {
	l.mu.Lock()
	delete(l.out, e)
	l.leave(e)
	if e.item != nil {
		l.retrying.lot.finished(e.item)
	}
	l.order.advance(e.Call)
	stored := e.era == l.era
	l.mu.Unlock()
	if stored || e.item != nil {
		l.settle(e)
	}
}

// exchange puts a parked entry in the place of one in flight.
func (l *Lane) exchange(e *Entry, item *parked) {
	l.mu.Lock()
	delete(l.out, e)
	l.leave(e)
	if l.q.parking.owns(item) {
		l.retrying.lot.push(item)
	}
	stored := e.era == l.era
	l.mu.Unlock()
	l.q.retries.release(item.seq)
	if stored || e.item != nil {
		l.settle(e)
	}
	l.poke()
}

// giveBack puts an entry before those that were not handed out yet.
func (l *Lane) giveBack(e *Entry) {
	again := &Entry{
		Record: e.Record, Seq: e.Seq, Accepted: e.Accepted, stored: e.stored, Attempts: e.Attempts, Replayed: e.Replayed,
		lane: l, item: e.item, ack: e.ack, touched: e.touched, era: e.era,
	}
	l.mu.Lock()
	delete(l.out, e)
	if e.item == nil || l.q.parking.owns(e.item) {
		l.makeReady(again)
	}
	l.mu.Unlock()
	l.poke()
}

func (l *Lane) makeReady(e *Entry) {
	at, _ := slices.BinarySearchFunc(l.ready, e, bySeq)
	l.ready = slices.Insert(l.ready, at, e)
}

// leave takes a finished entry off the window.
func (l *Lane) leave(e *Entry) {
	if e.item == nil && e.era == l.era {
		l.win.Done(e.Seq)
		l.moved = true
		l.q.saving.stir()
	}
}

// settle tells the streams that an entry is done with.
func (l *Lane) settle(e *Entry) {
	if e.item != nil {
		l.q.retries.finish(e.item)
		return
	}
	l.q.base.settle(l, e)
}

// poke makes a waiting Next look again.
func (l *Lane) poke() {
	select {
	case l.notify <- struct{}{}:
	default:
	}
}

func bySeq(a, b *Entry) int { return cmp.Compare(a.Seq, b.Seq) }
