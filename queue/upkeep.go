package queue

import (
	"context"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// waiting is what the site owes, whichever relay has it in hand, without what is
// in flight here.
func (c *cluster) waiting(l *Lane) int {
	waits := l.acks.unfinished()
	for e := range l.out {
		if e.item == nil {
			waits--
		}
	}
	return max(waits, l.held())
}

func (c *cluster) stored(r *record.Record, seq uint64) {
	c.seen.Store(max(c.seen.Load(), seq)) // the committer alone tells
	l := c.q.lane(r.Service)
	l.count(seq, record.SizeOf(r))
	l.acks.stored()
}

// count tells each lane what the site has for it.
func (c *cluster) count(ctx context.Context, eng *engine.Engine) error {
	for _, l := range c.q.allLanes() {
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
		c.q.lane(service)
	}
	for _, l := range c.q.allLanes() {
		info, served := known[l.name]
		if !served {
			info.NumPending = uint64(stored[l.name])
		}
		l.acks.endCount(int(info.NumPending) + info.NumAckPending)
		l.mu.Lock()
		l.feed.waiting, l.feed.elsewhere = int(info.NumPending), 0
		if !c.keeps() {
			l.feed.elsewhere = parked[l.name]
		}
		l.mu.Unlock()
	}
	return nil
}

// trim purges up to the floors that the consumers have. A consumer's leader may
// not know the end of the stream, so the head is purged only where it is old.
func (c *cluster) trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error {
	c.q.moving.RLock()
	defer c.q.moving.RUnlock()
	cutoff, err := c.q.cutoff(ctx, eng, keep)
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
		if err := c.q.trimHead(ctx, eng, head); err != nil {
			return err
		}
	}
	for service, n := range stored {
		info := known[service]
		finished := n - int(info.NumPending) - info.NumAckPending
		to := min(info.AckFloor.Stream+1, cutoff)
		if info.Name == "" || finished <= 0 || (finished < worthTrimming && keep > 0) || !c.q.lane(service).trimDue(to, time.Now(), keep == 0) {
			continue
		}
		if err := eng.Purge(ctx, record.Events, "events."+service+".>", to); err != nil {
			return err
		}
	}
	return nil
}
