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

// trimmer removes finished records from EVENTS.
type trimmer struct{ q *Queue }

// trim removes finished records from EVENTS that are older than keep: up to
// where every service is done in one purge of the stream's head, which is
// cheap, and beyond that for each service with many.
func (t *trimmer) trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error {
	if !t.q.store.Moving.TryRLock() {
		return nil // another time
	}
	defer t.q.store.Moving.RUnlock()
	cutoff, err := t.cutoff(ctx, eng, keep)
	if err != nil {
		return err
	}
	stored, err := eng.ServiceCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	head := cutoff
	for service := range stored {
		head = min(head, t.q.lane(service).trims.finishedTo(cutoff))
	}
	if err := t.head(ctx, eng, head); err != nil {
		return err
	}
	for service, n := range stored {
		if err := t.lane(ctx, eng, t.q.lane(service), n, cutoff, keep == 0); err != nil {
			return err
		}
	}
	return nil
}

// cutoff is the first sequence that is to be kept for its age. What was stored
// below it is counted by its lane, because no commit runs while the end of the
// stream is read.
func (t *trimmer) cutoff(ctx context.Context, eng *engine.Engine, keep time.Duration) (uint64, error) {
	t.q.store.Events.CommitMu.Lock()
	s, err := eng.Stream(ctx, record.Events)
	t.q.store.Events.CommitMu.Unlock()
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

// lane purges the subject of one service when that is worth it.
func (t *trimmer) lane(ctx context.Context, eng *engine.Engine, l *Lane, stored int, cutoff uint64, pressing bool) error {
	s := l.tally.stats()
	finished := stored - s.Waiting - s.InFlight
	to := l.trims.finishedTo(cutoff)
	due := l.trims.due(to, time.Now(), pressing)
	if finished <= 0 || !due || (finished < worthTrimming && !pressing) {
		return nil
	}
	return t.q.store.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
		return eng.Purge(ctx, record.Events, "events."+l.name+".>", to)
	})
}

// head purges all records below a sequence, if there are any.
func (t *trimmer) head(ctx context.Context, eng *engine.Engine, to uint64) error {
	s, err := eng.Stream(ctx, record.Events)
	if err != nil || s.CachedInfo().State.FirstSeq >= to || s.CachedInfo().State.Msgs == 0 {
		return err
	}
	return t.q.store.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error { return eng.Purge(ctx, record.Events, "", to) })
}

// laneTrim knows how far a lane was trimmed, and may be.
type laneTrim struct {
	l  *Lane
	to uint64 // what was purged last
	at time.Time
}

// due reports whether it is time to purge the lane up to a sequence.
func (t *laneTrim) due(to uint64, now time.Time, pressing bool) bool {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	if to <= t.to || (!pressing && now.Sub(t.at) < laneTrimInterval) {
		return false
	}
	t.to, t.at = to, now
	return true
}

// finishedTo is the sequence below which the lane owes nothing, at most cutoff.
func (t *laneTrim) finishedTo(cutoff uint64) uint64 {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	switch {
	case t.l.pull.feed.eng == nil || t.l.pull.feed.waiting > 0 || t.l.win.Open > 0:
		return min(t.l.win.Floor()+1, cutoff)
	case len(t.l.fresh) > 0:
		return min(t.l.fresh[0].Seq, cutoff)
	}
	return cutoff
}
