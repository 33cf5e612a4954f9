package queue

import (
	"context"
	"errors"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// remove runs an operation that deletes from a stream. One that JetStream could
// not store has the queue begin anew.
func (q *Queue) remove(ctx context.Context, operate func(context.Context, *engine.Engine) error) error {
	eng := q.engine.Load()
	if eng == nil {
		return record.ErrUnavailable
	}
	q.lighten()
	err := operate(context.WithoutCancel(ctx), eng)
	if errors.Is(err, engine.ErrNotDeleted) {
		q.fail(err)
	}
	return err
}

// room takes space for so many bytes more of EVENTS and RETRY, or reports
// [record.ErrFull].
func (q *Queue) room(size int64) error { return q.space.Take(size, time.Now()) }

// lighten drops the folder's ballast when others have left nothing of the disk
// that the reserve does not count.
func (q *Queue) lighten() {
	if q.space.Spent(time.Now()) {
		q.folder.DropBallast()
	}
}
