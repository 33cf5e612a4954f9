package queue

import (
	"context"
	"errors"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	// worthTrimming is how many finished records of one service make a purge of
	// its subject worthwhile while others hold the head of the stream.
	worthTrimming = 10_000
	// laneTrimInterval is how often one service is trimmed by itself.
	laneTrimInterval = 10 * time.Minute
)

// trim removes finished records from EVENTS that are older than keep: up to
// where every service is done in one purge of the stream's head, which is
// cheap, and beyond that for each service with many.
func (q *Queue) trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error {
	if !q.moving.TryRLock() {
		return nil // another time
	}
	defer q.moving.RUnlock()
	cutoff, err := q.cutoff(ctx, eng, keep)
	if err != nil {
		return err
	}
	stored, err := eng.ServiceCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	head := cutoff
	for service := range stored {
		head = min(head, q.lane(service).finishedTo(cutoff))
	}
	if err := q.trimHead(ctx, eng, head); err != nil {
		return err
	}
	for service, n := range stored {
		if err := q.trimLane(ctx, eng, q.lane(service), n, cutoff, keep == 0); err != nil {
			return err
		}
	}
	return nil
}

// cutoff is the first sequence that is to be kept for its age. What was stored
// below it is counted by its lane, because no commit runs while the end of the
// stream is read.
func (q *Queue) cutoff(ctx context.Context, eng *engine.Engine, keep time.Duration) (uint64, error) {
	q.events.CommitMu.Lock()
	s, err := eng.Stream(ctx, record.Events)
	q.events.CommitMu.Unlock()
	if err != nil {
		return 0, err
	}
	end := s.CachedInfo().State.LastSeq + 1
	if keep == 0 {
		return end, nil
	}
	seq, err := eng.SeqSince(ctx, record.Events, time.Now().Add(-keep))
	if errors.Is(err, record.ErrNotFound) {
		return end, nil
	}
	return min(seq, end), err
}

// trimLane purges the subject of one service when that is worth it.
func (q *Queue) trimLane(ctx context.Context, eng *engine.Engine, l *Lane, stored int, cutoff uint64, pressing bool) error {
	s := l.stats()
	finished := stored - s.Waiting - s.InFlight
	to := l.finishedTo(cutoff)
	due := l.trimDue(to, time.Now(), pressing)
	if finished <= 0 || !due || (finished < worthTrimming && !pressing) {
		return nil
	}
	return q.remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
		return eng.Purge(ctx, record.Events, "events."+l.name+".>", to)
	})
}

// trimHead purges all records below a sequence, if there are any.
func (q *Queue) trimHead(ctx context.Context, eng *engine.Engine, to uint64) error {
	s, err := eng.Stream(ctx, record.Events)
	if err != nil || s.CachedInfo().State.FirstSeq >= to || s.CachedInfo().State.Msgs == 0 {
		return err
	}
	return q.remove(ctx, func(ctx context.Context, eng *engine.Engine) error { return eng.Purge(ctx, record.Events, "", to) })
}

// trimDue reports whether it is time to purge the lane up to a sequence.
func (l *Lane) trimDue(to uint64, now time.Time, pressing bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to <= l.trimmedTo || (!pressing && now.Sub(l.trimmedAt) < laneTrimInterval) {
		return false
	}
	l.trimmedTo, l.trimmedAt = to, now
	return true
}

// finishedTo is the sequence below which the lane owes nothing, at most cutoff.
func (l *Lane) finishedTo(cutoff uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.feed.eng == nil || l.feed.waiting > 0 || l.win.Open > 0:
		return min(l.win.Floor()+1, cutoff)
	case len(l.fresh) > 0:
		return min(l.fresh[0].Seq, cutoff)
	}
	return cutoff
}
