package deliver

import (
	"slices"
	"strings"
	"sync"
	"time"

	"callrelay/queue"
)

// Status is how one service does.
type Status struct {
	Name         string
	Description  string
	Group        string
	Endpoint     string // the URL as written; it may hold secrets
	State        string
	Why          string // why it is paused
	Breaker      string // closed, half-open or open; empty for an orphan
	BreakerUntil time.Time
	Next         time.Time // the earliest attempt of what waits in memory, or of the probe; zero: none is known
	Waiting      int
	InFlight     int
	Retrying     int
	ForRecording int            // of the waiting: those that wait for their recording
	Uploads      int            // of what is owed: those that carry a recording, where there is one
	Failing      time.Time      // since when each attempt fails; zero: the last one was delivered
	Stalled      bool           // it may deliver, is owed something, and for long nothing came of it
	Oldest       time.Time      // acceptance of the oldest delivery; zero: there is none
	Dead         map[string]int // dead letters by reason
	Delivered    uint64         // since the start
	Failed       uint64         // attempts that failed, since the start
	Rate1m       float64        // deliveries a second, over the last minute
	LatencyP50   time.Duration  // of the last attempts
	LatencyP99   time.Duration
	LastError    string // of the last attempt; empty: it was delivered
	LastStatus   int
	LastAt       time.Time
}

// Status returns how each service does: the configured ones in the order of the
// file, then orphans by name.
func (d *Deliverer) Status() []Status {
	stats := d.options.Queue.Stats().Services
	now := time.Now()
	var list []Status
	for _, r := range d.inOrder() {
		s := r.status(stats[r.name], now)
		s.State, s.Why = d.stateOf(r)
		list = append(list, s)
	}
	configured := len(list)
	for name, st := range stats {
		if d.runner(name) == nil && st.Waiting+st.InFlight+st.Parked > 0 {
			list = append(list, Status{
				Name: name, State: StateOrphaned, Dead: st.Dead, Oldest: st.Oldest,
				Waiting: st.Waiting, InFlight: st.InFlight, Retrying: st.Parked,
			})
		}
	}
	slices.SortFunc(list[configured:], func(a, b Status) int {
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// Gone returns the dead letters, by reason, of services that are not in a status
// list: nothing waits for them any more, but what was given up is kept.
func (d *Deliverer) Gone(list []Status) map[string]map[string]int {
	gone := map[string]map[string]int{}
	for name, s := range d.options.Queue.Stats().Services {
		if len(s.Dead) > 0 {
			gone[name] = s.Dead
		}
	}
	for _, s := range list {
		delete(gone, s.Name)
	}
	return gone
}

// status says how the runner does. What it holds is in flight for the queue,
// but here only what an attempt is being made for.
func (r *runner) status(q queue.ServiceStats, now time.Time) Status {
	setup := r.setup.Load()
	r.mu.Lock()
	e := r.endpoint
	busy, retries := r.busy, r.buffer.retries()
	forRecording, next := r.buffer.counts[phaseRecording], r.buffer.due()
	r.mu.Unlock()
	s := Status{
		Name: r.name, Description: setup.service.Description, Group: setup.service.Group,
		Endpoint: setup.service.Endpoint, Oldest: q.Oldest, Dead: q.Dead, Stalled: q.Stalled,
	}
	s.Breaker, s.BreakerUntil = e.state()
	if s.Next = next; s.Breaker == BreakerOpen {
		s.Next = s.BreakerUntil
	}
	s.InFlight = min(busy, q.InFlight)
	inPlace := min(retries, q.InFlight-s.InFlight)
	s.Retrying = q.Parked + inPlace
	s.Waiting = q.Waiting + q.InFlight - s.InFlight - inPlace
	s.ForRecording = min(forRecording, s.Waiting)
	if setup.service.Carries {
		s.Uploads = s.Waiting + s.InFlight + s.Retrying
	}
	r.meter.fill(&s, now)
	return s
}

const (
	meterSeconds = 60  // that the rate is measured over
	meterSamples = 512 // attempts that the latencies are taken from
)

// meter keeps what the status shows of a service's attempts. The zero value
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
