package deliver

import (
	"sync/atomic"
	"time"
)

const (
	ms  = time.Millisecond
	day = 24 * time.Hour
)

// Upper bounds, ascending.
var (
	attemptBuckets = []time.Duration{
		ms, 2500 * time.Microsecond, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms,
		time.Second, 2500 * ms, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute,
	}
	lagBuckets = []time.Duration{
		ms, 5 * ms, 25 * ms, 100 * ms, 500 * ms, 2500 * ms, 10 * time.Second, time.Minute, 5 * time.Minute,
		30 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day,
	}
)

// histogram counts durations by the bound that they stay within. It is safe for
// concurrent use.
type histogram struct {
	bounds []time.Duration
	counts []atomic.Uint64 // the last one is of what is above all bounds
	sum    atomic.Int64    // microseconds, of which there is room for 290,000 years
}

func newHistogram(bounds []time.Duration) histogram {
	return histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(h.bounds) && d > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(d.Microseconds())
}
