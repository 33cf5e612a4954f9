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

// deathNote is what is stored beside a dead letter.
func deathNote(e *Entry, d record.Death) record.Note {
	n := record.Note{}.With(record.HeadReason, d.Reason).With(record.HeadEvent, e.Event).WithInt(record.HeadAccepted, e.stored).
		WithInt(record.HeadBuried, time.Now().UnixNano()).WithInt(record.HeadAttempts, int64(d.Attempts)).WithInt(record.HeadStatus, int64(d.Status)).With(record.HeadError, d.Error)
	if e.Replayed {
		n = n.With(record.HeadReplayed, "1")
	}
	return n
}

// bury stores e in DEAD and returns when that is on disk.
func (b *burial) bury(e *Entry, d record.Death) error {
	if err := b.q.store.DeadSpace.Take(record.SizeOf(&e.Record), time.Now()); err != nil {
		return fmt.Errorf("bury delivery: %w", err)
	}
	if _, err := b.q.store.Dead.Write(e.Record, deathNote(e, d), ""); err != nil {
		return fmt.Errorf("bury delivery: %w", err)
	}
	return nil
}

// buryAll stores many in DEAD, all or none.
func (b *burial) buryAll(entries []*Entry, d record.Death) error {
	result := make(chan error, 1)
	g := &journal.Group{Keys: make([]string, len(entries)), Done: func(err error) { result <- err }}
	var size int64
	for _, e := range entries {
		size += record.SizeOf(&e.Record)
		own := d
		own.Attempts = max(d.Attempts, e.Attempts)
		g.Recs = append(g.Recs, e.Record)
		g.Notes = append(g.Notes, deathNote(e, own))
	}
	if err := b.q.store.DeadSpace.Take(size, time.Now()); err != nil {
		return fmt.Errorf("bury deliveries: %w", err)
	}
	b.q.store.Dead.Add(g)
	if err := <-result; err != nil {
		return fmt.Errorf("bury deliveries: %w", err)
	}
	return nil
}
