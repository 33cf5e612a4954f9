package queue

import (
	"context"
	"time"
)

const maintainInterval = time.Second

// maintain watches what the streams hold, and trims, until the queue closes.
func (q *Queue) maintain(ctx context.Context) {
	tick := time.NewTicker(maintainInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			q.refresh(ctx, now)
		}
	}
}
