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

	mu     sync.Mutex
	win    lane.Window
	fresh  []*Entry          // from JetStream, not handed out yet, ascending
	ready  []*Entry          // given back or come to their turn, ascending; they go first
	out    map[*Entry]bool   // in flight
	lot    parkingLot        // in RETRY, by the time they come due
	chains map[string]*chain // by call; nil: the lane is not ordered
	moved  bool              // the window changed since it was saved
	feed   feed
	acks   acks // used in a cluster
	stall  stall

	retriesTurn bool   // whether a due retry goes before a fresh entry
	following   int    // entries in memory that wait in chains
	shadows     int    // of fresh
	restored    uint64 // see awaitsEarlier
	era         int    // how often EVENTS was replaced
	unread      int    // what is parked and not read yet, see [loading]
	wokenAll    bool   // so is this: Wake came meanwhile
	wokenHeld   bool
	spilling    bool // some of them are being parked

	trimmedTo uint64 // what was purged last
	trimmedAt time.Time
	peeked    peek

	erasing erasing // what an erasure removes just now

	notify chan struct{} // holds a token when there is something to look at
}

func newLane(q *Queue, name string) *Lane {
	return &Lane{q: q, name: name, out: map[*Entry]bool{}, feed: feed{average: 1024}, notify: make(chan struct{}, 1)}
}

// Next hands out between 1 and max entries: those given back first, then due
// retries and fresh ones in turn. It blocks until there is one, and returns
// ctx's error when that ends first.
func (l *Lane) Next(ctx context.Context, max int) ([]*Entry, error) {
	l.await(+1)
	defer l.await(-1)
	for {
		now := time.Now()
		entries, due := l.take(max, now)
		l.fetch(now)
		entries = append(entries, l.load(ctx, due)...)
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
	l.lot.wake(w == WakeAll, time.Now())
	l.wokenAll, l.wokenHeld = l.wokenAll || w == WakeAll, l.wokenHeld || w == WakeHeld
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
	case <-l.q.closed:
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
	wait := l.feed.until(now)
	if due, ok := l.lot.next(); ok && !l.awaitsEarlier() {
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
		if item := l.dueItem(now, l.retriesTurn); item != nil {
			due = append(due, item)
		} else if e := l.turn(); e != nil {
			entries = append(entries, l.hand(e))
		} else if item := l.dueItem(now, true); item != nil {
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
	l.stall = stall{callers: l.stall.callers, eng: l.stall.eng, since: time.Now()}
	return e
}

// dueItem takes a parked entry that is due, if it may go now.
func (l *Lane) dueItem(now time.Time, may bool) *parked {
	if !may || len(l.ready) > 0 || !l.q.base.keeps() || !l.q.base.open(l) || l.awaitsEarlier() {
		return nil
	}
	return l.lot.pop(now)
}

// turn takes the next entry in memory whose turn it is, or returns nil.
func (l *Lane) turn() *Entry {
	if len(l.ready) > 0 {
		e := l.ready[0]
		l.ready[0], l.ready = nil, l.ready[1:]
		return e
	}
	for len(l.fresh) > 0 && !l.crowded() && l.q.base.open(l) {
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
		l.q.stir()
	}
	mayGo := !e.shadow && (l.chains == nil || l.queueUp(e))
	if e.shadow {
		l.shadows--
		l.lot.released(e.Seq)
		l.leave(e)
	}
	if e.Seq >= l.restored {
		l.restored = 0
	}
	if !mayGo {
		return nil
	}
	return e
}

// load reads the bodies of due entries. One that cannot be read now is tried
// again soon; one that is gone was removed by an operator.
func (l *Lane) load(ctx context.Context, due []*parked) []*Entry {
	var entries []*Entry
	for _, item := range due {
		e, err := l.q.unpark(ctx, l, item)
		l.mu.Lock()
		switch {
		case err == nil && !l.erasing.has(e):
			entries = append(entries, l.hand(e))
		case errors.Is(err, errAnother):
			l.advance(item.call)
		case err == nil || errors.Is(err, record.ErrNotFound):
			l.q.forgetParked(item)
			l.advance(item.call)
		default:
			l.stall.unread = err
			item.due = journal.SinceBegan(time.Now().Add(retryRead))
			l.lot.push(item)
		}
		l.mu.Unlock()
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
	l.advance(e.Call)
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
	if l.q.owns(item) {
		l.lot.push(item)
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
	if e.item == nil || l.q.owns(e.item) {
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
		l.q.stir()
	}
}

// settle tells the streams that an entry is done with.
func (l *Lane) settle(e *Entry) {
	if e.item != nil {
		l.q.forgetParked(e.item)
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
