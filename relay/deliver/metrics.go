package deliver

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// metrics are what is counted of all services. They are not kept by the client
// library of Prometheus: two hundred services have twelve thousand series, which
// it takes thirty milliseconds to gather and write, and this one or two. Safe for
// concurrent use.
type metrics struct {
	mu       sync.Mutex
	services map[string]*serviceMetrics
}

// serviceMetrics are the series of one service.
type serviceMetrics struct {
	delivered, retry, dead atomic.Uint64
	classes                map[string]*atomic.Uint64 // fixed
	seconds, lag           histogram
}

func newMetrics() *metrics { return &metrics{services: map[string]*serviceMetrics{}} }

// service returns the series of a service, which exist from now on.
func (m *metrics) service(name string) *serviceMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.services[name]; s != nil {
		return s
	}
	s := &serviceMetrics{
		classes: make(map[string]*atomic.Uint64, len(classes)),
		seconds: newHistogram(attemptBuckets),
		lag:     newHistogram(lagBuckets),
	}
	for _, class := range classes {
		s.classes[class] = new(atomic.Uint64)
	}
	m.services[name] = s
	return s
}

// forget drops the series of a service that is no more.
func (m *metrics) forget(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.services, name)
}

// all returns what there is, and the names in order.
func (m *metrics) all() ([]string, map[string]*serviceMetrics) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.services)), maps.Clone(m.services)
}

// attempt counts one. A dead letter is counted when it is stored.
func (s *serviceMetrics) attempt(v verdict, elapsed, lag time.Duration) {
	s.classes[v.class].Add(1)
	s.seconds.observe(elapsed)
	switch v.outcome {
	case Delivered:
		s.delivered.Add(1)
		s.lag.observe(lag)
	case Retry:
		s.retry.Add(1)
	}
}

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
