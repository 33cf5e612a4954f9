package deliver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/exchange"
)

const (
	// inPlace is the longest delay that a delivery waits in memory; it is parked
	// in the queue for a longer one.
	inPlace = 10 * time.Second

	// maxWaiting is how many deliveries of a service wait in memory for a retry;
	// the queue parks the others. When twice as many wait because the queue is
	// full, nothing more is fetched.
	maxWaiting = 512

	// maxRecordings is how many wait in memory for a recording, as long as their
	// events are not larger than maxRecordingBytes together. A parked one costs
	// several writes every few seconds, and leaves that much later.
	maxRecordings     = 4096
	maxRecordingBytes = 8 << 20
)

// runner delivers to one service. It shares nothing with the runners of other
// services but the breaker of an endpoint that they have in common.
//
// Workers exist only while there is something to attempt: each holds one of the
// service's places. How many places there are grows from one after the breaker
// has closed.
type runner struct {
	name      string
	lane      lane
	reporter  *reporter
	pauseGone func() // pauses the service: its endpoint asks never to be called again

	setup atomic.Pointer[setup]
	pace  *rate.Limiter
	meter meter
	stats *serviceMetrics
	rest  rest
	quota atomic.Pointer[quota] // of the day; holds nil: there is none

	mu         sync.Mutex
	endpoint   *endpoint
	buffer     buffer
	asked      asked
	stop       context.Context // ends when no attempt begins any more; nil until the runner runs
	abort      context.Context // of the attempts
	closed     bool            // no attempt begins any more
	held       bool            // paused or inactive: likewise
	busy       int             // places taken
	places     int
	storing    int           // attempts over, their outcome not stored yet
	fetchWaits bool          // fetch waits for wake
	wake       chan struct{} // holds a token when fetch should look again
	work       sync.WaitGroup
}

func newRunner(name string, l lane, rep *reporter, pauseGone func()) *runner {
	r := &runner{
		name: name, lane: l, reporter: rep, pauseGone: pauseGone,
		pace:   rate.NewLimiter(rate.Inf, 1),
		stats:  rep.metrics.service(name),
		buffer: newBuffer(),
		asked:  asked{},
		wake:   make(chan struct{}, 1),
	}
	r.rest.over = r.dispatch
	return r
}

// apply takes over a setup and its endpoint in one step. Connections and the
// breaker stay as they are unless the setup differs in what they depend on.
func (r *runner) apply(s *setup, e *endpoint, held bool) {
	old := r.setup.Swap(s)
	setPace(r.pace, s.service.Rate.PerSecond)
	if old == nil || old.service.Rate.PerDay != s.service.Rate.PerDay {
		r.quota.Swap(newQuota(r.name, s.service.Rate.PerDay, s.keep, r.reporter.log)).stop()
		r.rest.end()
	}
	r.lane.SetOrdered(s.service.Order == "call")
	moved := r.moveTo(e, s)
	r.hold(held)
	switch {
	case old == nil && !e.shut.Load(): // a probe takes the oldest delivery, parked or not
		r.lane.Wake(queue.WakeHeld)
	case old == nil:
	case moved || !config.SameRequest(&old.service.Service, &s.service.Service):
		r.rest.end()
		e.reset() // what waited because of the endpoint comes due: it may be mended
	}
	if old != nil && !s.inherited {
		s.succeed(old)
	}
}

// moveTo has the runner call an endpoint and reports whether it is another one.
func (r *runner) moveTo(e *endpoint, s *setup) (moved bool) {
	r.mu.Lock()
	was := r.endpoint
	r.endpoint = e
	if was != e {
		r.places = firstPlaces(s)
		if !e.shut.Load() {
			r.places = 1
		}
	}
	r.places = min(r.places, s.service.Concurrency)
	r.mu.Unlock()
	if was == e {
		return false
	}
	if was != nil {
		was.leave(r)
	}
	e.join(r)
	return true
}

// renew takes a setup whose certificates were replaced.
func (r *runner) renew(s *setup) {
	old := r.setup.Swap(s)
	if !s.inherited { // files that were away for a moment are the same again
		exchange.CloseIdle(old.sender)
	}
	r.mu.Lock()
	e := r.endpoint
	r.mu.Unlock()
	e.reset()
}

// firstPlaces is how many places an endpoint is given that nothing is known of:
// no more than failures open its breaker.
func firstPlaces(s *setup) int {
	return max(1, min(s.service.Concurrency, s.service.Breaker.Failures))
}

// setPace limits attempts to so many a second, letting through at once what
// falls into a twentieth of a second.
func setPace(l *rate.Limiter, perSecond float64) {
	limit, burst := rate.Inf, 1
	if perSecond > 0 {
		limit, burst = rate.Limit(perSecond), max(1, int(perSecond/20))
	}
	if l.Limit() != limit {
		l.SetLimit(limit)
		l.SetBurst(burst)
	}
}

// run delivers until ctx ends. Then no attempt begins, those under way are
// finished, or given back when abort ends too, and the rest goes back to the
// queue.
func (r *runner) run(ctx, abort context.Context) {
	r.mu.Lock()
	r.stop, r.abort = ctx, abort
	r.mu.Unlock()
	fetcher{r}.fetch(ctx)
	r.mu.Lock()
	r.closed = true
	e := r.endpoint
	r.mu.Unlock()
	e.leave(r)
	r.release()
	r.work.Wait()
	r.release() // what came back meanwhile
	r.quota.Load().stop()
	exchange.CloseIdle(r.setup.Load().sender)
}

// dispatch starts as many attempts as there are places.
func (r *runner) dispatch() { dispatcher{r}.fill() }

// breakerChanged follows the endpoint's breaker.
func (r *runner) breakerChanged(c change) {
	r.mu.Lock()
	switch c.to {
	case BreakerOpen:
		r.places = 1
	case BreakerClosed:
		r.buffer.wake()
	}
	r.mu.Unlock()
	// A probe takes the oldest delivery, so those parked because of the endpoint
	// come forward for it. They wait for the breaker then, and for nothing else.
	if c.to != BreakerOpen {
		r.lane.Wake(queue.WakeHeld)
	}
	r.dispatch()
}

// succeeded adds a place after a success, until all are in use: so their number
// doubles with each round of answers.
func (r *runner) succeeded() {
	limit := r.setup.Load().service.Concurrency
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.places < limit {
		r.places++
	}
}
