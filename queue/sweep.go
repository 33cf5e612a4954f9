package queue

import (
	"context"
	"slices"
	"time"

	"callrelay/queue/record"
)

// sweepBatch is how many deliveries are buried together.
const sweepBatch = 500

// Sweep makes dead letters of what waits for the service, fresh or parked,
// and was accepted before the given time. What is in flight is left alone. It
// returns how many. When nothing is that old it is cheap.
func (q *Queue) Sweep(ctx context.Context, service string, acceptedBefore time.Time, d record.Death) (int, error) {
	return q.sweep(ctx, service, acceptedBefore, -1, d)
}

// sweep buries at most limit deliveries; -1 is all.
func (q *Queue) sweep(ctx context.Context, service string, before time.Time, limit int, d record.Death) (int, error) {
	l := q.Lane(service)
	n := 0
	for limit < 0 || n < limit {
		size := sweepBatch
		if limit >= 0 {
			size = min(size, limit-n)
		}
		entries, err := l.old(ctx, before, size)
		if len(entries) == 0 || err != nil {
			return n, err
		}
		if err := q.buryAll(entries, d); err != nil {
			for _, e := range entries {
				e.Return()
			}
			return n, err
		}
		for _, e := range entries {
			e.Finish()
		}
		q.tellBuried(d, entries)
		n += len(entries)
	}
	return n, nil
}

// OnBuried has f called, from a goroutine of the queue, with deliveries of one
// service that were made dead letters together: by [Queue.Sweep], or to make
// room. It must not block.
func (q *Queue) OnBuried(f func(d record.Death, records []record.Record)) { q.buried.Store(&f) }

func (q *Queue) tellBuried(d record.Death, entries []*Entry) {
	f := q.buried.Load()
	if f == nil {
		return
	}
	records := make([]record.Record, len(entries))
	for i, e := range entries {
		records[i] = e.Record
	}
	(*f)(d, records)
}

// old takes up to max waiting entries that were accepted before a time. None
// means that there are no more.
func (l *Lane) old(ctx context.Context, before time.Time, max int) ([]*Entry, error) {
	for {
		entries, items, more := l.takeOld(before, max)
		entries = append(entries, l.load(ctx, items)...)
		if len(entries) > 0 || !more {
			return entries, nil
		}
		if err := l.waitFresh(ctx); err != nil {
			return nil, err
		}
	}
}

// takeOld takes what is known to be old enough; more says that further ones
// may be on their way. What follows an entry of its call is not taken: it gets
// its turn when that one is buried.
func (l *Lane) takeOld(before time.Time, max int) (entries []*Entry, items []*parked, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = slices.DeleteFunc(l.ready, func(e *Entry) bool {
		if len(entries) == max || !e.Accepted.Before(before) {
			return false
		}
		entries = append(entries, l.hand(e))
		return true
	})
	for len(entries) < max && len(l.fresh) > 0 && l.fresh[0].Accepted.Before(before) && !l.crowded() && l.q.base.open(l) {
		if e := l.nextFresh(); e != nil {
			entries = append(entries, l.hand(e))
		}
	}
	now := time.Now()
	items = l.lot.remove(max-len(entries), func(p *parked) bool { return l.q.clock.Moment(p.accepted, now).Before(before) })
	return entries, items, len(l.fresh) == 0 && l.feed.waiting > 0 && l.q.base.feeds(l)
}

// waitFresh asks for more and returns when something came, or soon.
func (l *Lane) waitFresh(ctx context.Context) error {
	l.fetch(time.Now())
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.q.closed:
		return record.ErrUnavailable
	case <-l.notify:
		l.poke() // for Next
	case <-timer.C:
	}
	return l.q.Health()
}
