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
	return q.burial.sweep(ctx, service, acceptedBefore, -1, d)
}

// sweep buries at most limit deliveries; -1 is all.
func (b *burial) sweep(ctx context.Context, service string, before time.Time, limit int, d record.Death) (int, error) {
	l := b.q.Lane(service)
	n := 0
	for limit < 0 || n < limit {
		size := sweepBatch
		if limit >= 0 {
			size = min(size, limit-n)
		}
		entries, err := l.sweeper.old(ctx, before, size)
		if len(entries) == 0 || err != nil {
			return n, err
		}
		if err := b.bury(entries, d); err != nil {
			for _, e := range entries {
				e.Return()
			}
			return n, err
		}
		for _, e := range entries {
			e.Finish()
		}
		b.tell(d, entries)
		n += len(entries)
	}
	return n, nil
}

// OnBuried has f called, from a goroutine of the queue, with deliveries of one
// service that were made dead letters together: by [Queue.Sweep], or to make
// room. It must not block.
func (q *Queue) OnBuried(f func(d record.Death, records []record.Record)) { q.burial.told.Store(&f) }

func (b *burial) tell(d record.Death, entries []*Entry) {
	f := b.told.Load()
	if f == nil {
		return
	}
	records := make([]record.Record, len(entries))
	for i, e := range entries {
		records[i] = e.Record
	}
	(*f)(d, records)
}

// sweeper takes old deliveries out of a lane.
type sweeper struct{ l *Lane }

// old takes up to max waiting entries that were accepted before a time. None
// means that there are no more.
func (s *sweeper) old(ctx context.Context, before time.Time, max int) ([]*Entry, error) {
	for {
		entries, items, more := s.take(before, max)
		entries = append(entries, s.l.retrying.load(ctx, items)...)
		if len(entries) > 0 || !more {
			return entries, nil
		}
		if err := s.waitFresh(ctx); err != nil {
			return nil, err
		}
	}
}

// take takes what is known to be old enough; more says that further ones
// may be on their way. What follows an entry of its call is not taken: it gets
// its turn when that one is buried.
func (s *sweeper) take(before time.Time, max int) (entries []*Entry, items []*parked, more bool) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.l.ready = slices.DeleteFunc(s.l.ready, func(e *Entry) bool {
		if len(entries) == max || !e.Accepted.Before(before) {
			return false
		}
		entries = append(entries, s.l.hand(e))
		return true
	})
	for len(entries) < max && len(s.l.fresh) > 0 && s.l.fresh[0].Accepted.Before(before) && !s.l.order.crowded() && s.l.q.base.open(s.l) {
		if e := s.l.nextFresh(); e != nil {
			entries = append(entries, s.l.hand(e))
		}
	}
	now := time.Now()
	items = s.l.retrying.lot.remove(max-len(entries), func(p *parked) bool { return s.l.q.store.Clock.Moment(p.accepted, now).Before(before) })
	return entries, items, len(s.l.fresh) == 0 && s.l.pull.feed.waiting > 0 && s.l.q.base.feeds(s.l)
}

// waitFresh asks for more and returns when something came, or soon.
func (s *sweeper) waitFresh(ctx context.Context) error {
	s.l.pull.fetch(time.Now())
	timer := time.NewTimer(50 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.l.q.store.Closed:
		return record.ErrUnavailable
	case <-s.l.notify:
		s.l.poke() // for Next
	case <-timer.C:
	}
	return s.l.q.Health()
}
