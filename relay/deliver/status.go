package deliver

import (
	"slices"
	"strings"
	"sync"
	"time"

	"callrelay/queue"
	"callrelay/relay/exchange"
)

// Status is how one service does, as `relay status --json` prints it.
type Status struct {
	Name         string         `json:"name"`
	Group        string         `json:"group,omitempty"`
	Description  string         `json:"description,omitempty"`
	Endpoint     string         `json:"endpoint,omitempty"` // host only: a path may hold secrets
	State        string         `json:"state"`              // active, inactive, paused or orphaned
	Why          string         `json:"why,omitempty"`      // why it is paused
	HeldBy       string         `json:"held_by,omitempty"`  // what keeps deliveries from being made; empty: nothing, or the configuration
	Breaker      string         `json:"breaker"`            // closed, half-open or open; empty for an orphan
	BreakerUntil time.Time      `json:"breaker_until,omitzero"`
	Next         time.Time      `json:"next_attempt,omitzero"` // the earliest of what waits in memory, or of the probe; zero: none is known, or at once
	Waiting      int            `json:"waiting"`
	InFlight     int            `json:"in_flight"`
	Retrying     int            `json:"retrying"`
	Oldest       time.Time      `json:"oldest,omitzero"`                 // acceptance of the oldest delivery
	ForRecording int            `json:"waiting_for_recording,omitempty"` // of those that wait
	Uploads      int            `json:"uploads,omitempty"`               // of what is owed: those that carry a recording, where there is one
	Failing      time.Time      `json:"failing_since,omitzero"`          // since when no attempt was delivered; zero: the last one was
	Stalled      bool           `json:"-"`                               // it may deliver, is owed something, and for long nothing came of it
	Dead         map[string]int `json:"dead,omitempty"`                  // dead letters by reason
	NewDead      int            `json:"dead_new,omitempty"`              // of them, those that nobody has looked at: for who knows that to fill in
	Delivered    uint64         `json:"delivered"`                       // since the start
	Failed       uint64         `json:"failed"`                          // attempts that failed, since the start
	PerMinute    float64        `json:"per_minute"`                      // delivered in the last minute
	P50          float64        `json:"latency_p50_seconds"`             // of the last attempts
	P99          float64        `json:"latency_p99_seconds"`
	LastStatus   int            `json:"last_status,omitempty"`
	LastError    string         `json:"last_error,omitempty"` // of the last attempt; empty: it was delivered
	LastAt       time.Time      `json:"last_at,omitzero"`
}

// Owed is the number of deliveries not yet finished.
func (s Status) Owed() int { return s.Waiting + s.InFlight + s.Retrying }

// DeadLetters is the number of dead letters, whatever their reason.
func (s Status) DeadLetters() int {
	n := 0
	for _, c := range s.Dead {
		n += c
	}
	return n
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
		s.HeldBy = heldBy(s)
		list = append(list, s)
	}
	configured := len(list)
	for name, st := range stats {
		if d.runner(name) == nil && st.Waiting+st.InFlight+st.Parked > 0 {
			list = append(list, Status{
				Name: name, State: StateOrphaned, HeldBy: StateOrphaned, Dead: st.Dead, Oldest: st.Oldest,
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
		Endpoint: exchange.HostOf(setup.service.Endpoint), Oldest: q.Oldest, Dead: q.Dead, Stalled: q.Stalled,
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
		s.Uploads = s.Owed()
	}
	r.meter.fill(&s, now)
	return s
}

const (
	meterSeconds = 60  // of the last minute
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
			s.PerMinute += float64(second.n)
		}
	}
	if n := min(m.attempts, meterSamples); n > 0 {
		sorted := slices.Clone(m.latency[:n])
		slices.Sort(sorted)
		s.P50, s.P99 = sorted[n/2].Seconds(), sorted[n*99/100].Seconds()
	}
}
