package deliver

import (
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"callrelay/relay/exchange"
)

const (
	quotaStep = 10 * time.Minute // attempts are counted by it
	quotaDay  = int64(24*time.Hour/quotaStep) + 1
)

// quota lets so many attempts begin in any 24 hours, across restarts: some are
// set apart on disk before they are made, so that a crash forgets none. Safe for
// concurrent use; nil lets all begin.
type quota struct {
	limit int
	keep  exchange.Keeper
	name  string

	mu     sync.Mutex
	counts map[int64]int // by step since 1970
	step   int64         // in which some were set apart
	spare  int           // of these, not made yet
}

func newQuota(service string, limit int, keep exchange.Keeper, log *slog.Logger) *quota {
	if limit == 0 {
		return nil
	}
	q := &quota{limit: limit, keep: keep, name: exchange.StateName("quota", service)}
	q.counts = recall[map[int64]int](keep, q.name, log, "attempts of the day not known, so none is counted")
	if q.counts == nil {
		q.counts = map[int64]int{}
	}
	return q
}

// take counts an attempt that begins now, and returns how long it must wait
// instead where the quota is used up.
func (q *quota) take(now time.Time) time.Duration {
	if q == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	step := now.Unix() / int64(quotaStep.Seconds())
	if q.spare > 0 && q.step == step {
		q.spare--
		return 0
	}
	q.giveBack()
	used, oldest := 0, step
	for at, n := range q.counts {
		if at <= step-quotaDay {
			delete(q.counts, at)
			continue
		}
		used += n
		oldest = min(oldest, at)
	}
	if used >= q.limit {
		return time.Unix((oldest+quotaDay)*int64(quotaStep.Seconds()), 0).Sub(now)
	}
	apart := min(max(q.limit/1000, 1), q.limit-used)
	q.counts[step] += apart
	q.step, q.spare = step, apart-1
	q.save()
	return 0
}

// stop gives back on disk what was set apart and not made.
func (q *quota) stop() {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spare > 0 {
		q.giveBack()
		q.save()
	}
}

// giveBack takes off the counts what was set apart and not made.
func (q *quota) giveBack() {
	q.counts[q.step] -= q.spare
	q.spare = 0
	if q.counts[q.step] == 0 {
		delete(q.counts, q.step)
	}
}

func (q *quota) save() {
	if data, err := json.Marshal(q.counts); err == nil {
		_ = q.keep.Save(q.name, data) // a disk that is full stops intake; deliveries go on
	}
}
