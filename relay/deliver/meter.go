package deliver

import (
	"slices"
	"sync"
	"time"
)

const (
	meterSeconds = 60  // that the rate is measured over
	meterSamples = 512 // attempts that the latencies are taken from
)

// meter keeps what the status tells of a service's attempts. The zero value
// has seen none. Safe for concurrent use.
type meter struct {
	mu        sync.Mutex
	delivered uint64
	failed    uint64
	seconds   [meterSeconds]struct { // a ring: deliveries in each second
		at int64
		n  int
	}
	latency    [meterSamples]time.Duration // a ring
	attempts   int
	lastError  string
	lastStatus int
	lastAt     time.Time
	failing    time.Time // the first attempt that failed behind the last that was delivered; zero: none did
}

// add counts an attempt.
func (m *meter) add(v verdict, now time.Time, elapsed time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latency[m.attempts%meterSamples] = elapsed
	m.attempts++
	m.lastStatus, m.lastAt, m.lastError = v.status, now, v.err
	if v.outcome != Delivered {
		m.failed++
		if m.failing.IsZero() {
			m.failing = now
		}
		return
	}
	m.delivered++
	m.failing = time.Time{}
	second := &m.seconds[now.Unix()%meterSeconds]
	if second.at != now.Unix() {
		second.at, second.n = now.Unix(), 0
	}
	second.n++
}

// fill writes what was measured into a status.
func (m *meter) fill(s *Status, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.Failed = m.failed
	s.Delivered, s.Failing = m.delivered, m.failing
	s.LastError, s.LastStatus, s.LastAt = m.lastError, m.lastStatus, m.lastAt
	for _, second := range m.seconds {
		if now.Unix()-second.at < meterSeconds {
			s.Rate1m += float64(second.n) / meterSeconds
		}
	}
	if n := min(m.attempts, meterSamples); n > 0 {
		sorted := slices.Clone(m.latency[:n])
		slices.Sort(sorted)
		s.LatencyP50, s.LatencyP99 = sorted[n/2], sorted[n*99/100]
	}
}
