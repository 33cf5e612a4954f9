package queue

import (
	"fmt"
	"sync/atomic"
	"time"

	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// burial makes dead letters.
type burial struct {
	q    *Queue
	told atomic.Pointer[func(record.Death, []record.Record)]
}

// bury stores entries in DEAD, all or none, and returns when that is on disk.
func (b *burial) bury(entries []*Entry, d record.Death) error {
	g := &journal.Group{Keys: make([]string, len(entries))}
	for _, e := range entries {
		letter := record.Letter{
			Record: e.Record, Reason: d.Reason, Attempts: max(d.Attempts, e.Attempts), Status: d.Status, Error: d.Error,
			Buried: time.Now(), Accepted: time.Unix(0, e.stored),
		}
		g.Recs, g.Notes = append(g.Recs, e.Record), append(g.Notes, letter.Note().WithFlag(record.HeadReplayed, e.Replayed))
	}
	err := b.q.store.DeadSpace.Take(g.Size(), time.Now())
	if err == nil {
		err = b.q.store.Dead.Store(g)
	}
	if err != nil {
		return fmt.Errorf("bury: %w", err)
	}
	return nil
}
