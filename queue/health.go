package queue

import (
	"errors"
	"fmt"
	"strings"

	"callrelay/queue/record"
)

// Health returns nil when the queue can take records, and else why not. It is
// cheap.
func (q *Queue) Health() error {
	if s := q.base.bridge(); s != nil && s.Bridges() {
		return s.Health()
	}
	return q.store.Health()
}

// Degraded returns nil when records go where they belong and stay there, and else
// why they are spooled, which services stand still, that nobody keeps the site, or
// what was lost with a stream in the last 24 hours.
func (q *Queue) Degraded() error {
	var all []string
	for _, err := range []error{q.spooling(), q.watch.stalled(), q.store.Lost.Err()} {
		if err != nil {
			all = append(all, err.Error())
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// spooling is why records are spooled; nil: they are not.
func (q *Queue) spooling() error {
	s := q.base.bridge()
	if s == nil || !s.Bridges() {
		return nil
	}
	if err := q.store.Down(); err != nil {
		return fmt.Errorf("events are spooled: %w", err)
	}
	return errors.New("spooled events are being forwarded")
}

// Losses returns what was lost with streams lately, the last one last.
func (q *Queue) Losses() []Loss { return q.store.Lost.List() }

// lose forgets what a stream held that is gone, and returns how many records were
// owed, or kept as dead letters.
func (q *Queue) lose(stream string) (records int) {
	switch stream {
	case record.Events:
		for _, l := range q.allLanes() {
			records += l.tally.stats().Waiting
			l.reset()
		}
	case record.Retry:
		q.retries.lose()
		for _, l := range q.allLanes() {
			records += l.retrying.lose()
		}
	case record.Dead:
		q.cached.mu.Lock()
		for _, reasons := range q.cached.dead {
			for _, n := range reasons {
				records += n
			}
		}
		q.cached.mu.Unlock()
	}
	return records
}
