package deliver

import (
	"slices"
	"strings"
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
	busy, retries := r.busy, r.hand.counts[waitRetry]
	forRecording, next := r.hand.counts[waitRecording], r.hand.due()
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
	r.meter.fill(&s, now)
	return s
}
