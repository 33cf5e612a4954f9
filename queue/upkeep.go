package queue

import (
	"context"
	"sync/atomic"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// siteCounts knows what a site owes, whichever relay has it in hand.
type siteCounts struct {
	c    *cluster
	seen atomic.Uint64 // a sequence of EVENTS: what is sent from now on lies behind it
}

// waiting is what the site owes, whichever relay has it in hand, without what is
// in flight here.
func (s *siteCounts) waiting(l *Lane) int {
	waits := l.acks.unfinished()
	for e := range l.out {
		if e.item == nil {
			waits--
		}
	}
	return max(waits, l.tally.held())
}

func (s *siteCounts) stored(r *record.Record, seq uint64) {
	s.seen.Store(max(s.seen.Load(), seq)) // the committer alone tells
	l := s.c.q.lane(r.Service)
	l.pull.count(seq, record.SizeOf(r))
	l.acks.stored()
}

// count tells each lane what the site has for it.
func (s *siteCounts) count(ctx context.Context, eng *engine.Engine) error {
	for _, l := range s.c.q.allLanes() {
		l.acks.beginCount()
	}
	known, err := eng.Consumers(ctx)
	if err != nil {
		return err
	}
	stored, err := eng.ServiceCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	parked, err := eng.ServiceCounts(ctx, record.Retry)
	if err != nil {
		return err
	}
	for service := range stored {
		s.c.q.lane(service)
	}
	for _, l := range s.c.q.allLanes() {
		info, served := known[l.name]
		if !served {
			info.NumPending = uint64(stored[l.name])
		}
		l.acks.endCount(int(info.NumPending) + info.NumAckPending)
		l.mu.Lock()
		l.pull.feed.waiting, l.pull.feed.elsewhere = int(info.NumPending), 0
		if !s.c.keeps() {
			l.pull.feed.elsewhere = parked[l.name]
		}
		l.mu.Unlock()
	}
	return nil
}

// trim purges up to the floors that the consumers have. A consumer's leader may
// not know the end of the stream, so the head is purged only where it is old.
func (s *siteCounts) trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error {
	s.c.q.store.Moving.RLock()
	defer s.c.q.store.Moving.RUnlock()
	cutoff, err := s.c.q.trimmer.cutoff(ctx, eng, keep)
	if err != nil {
		return err
	}
	stored, err := eng.ServiceCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	known, err := eng.Consumers(ctx)
	if err != nil {
		return err
	}
	head := cutoff
	for service := range stored {
		if info := known[service]; info.NumPending > 0 || info.NumAckPending > 0 || info.Name == "" {
			head = min(head, info.AckFloor.Stream+1)
		}
	}
	if keep >= trimInterval {
		if err := s.c.q.trimmer.head(ctx, eng, head); err != nil {
			return err
		}
	}
	for service, n := range stored {
		info := known[service]
		finished := n - int(info.NumPending) - info.NumAckPending
		to := min(info.AckFloor.Stream+1, cutoff)
		if info.Name == "" || finished <= 0 || (finished < worthTrimming && keep > 0) || !s.c.q.lane(service).trims.due(to, time.Now(), keep == 0) {
			continue
		}
		if err := eng.Purge(ctx, record.Events, "events."+service+".>", to); err != nil {
			return err
		}
	}
	return nil
}
