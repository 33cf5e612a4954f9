package deliver

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"callrelay/config"

	"github.com/sony/gobreaker/v2"
)

// result is what an attempt says of the endpoint.
type result struct {
	err         error  // nil, errUnhealthy or errGivenUp
	why         string // of errUnhealthy, fit to be shown
	operational bool   // the delivery is about the relay itself
}

var (
	errUnhealthy = errors.New("endpoint unhealthy") // counts against the endpoint
	errGivenUp   = errors.New("attempt given up")   // says nothing about it
)

// change is a breaker's step from one state to another; From and to are the
// same when only its leave is free again.
type change struct {
	from, to string
	cause    result // the attempt behind it; zero: none
}

// breaker guards one endpoint. While it is closed a gobreaker counts the failures
// in its rolling window; what opens the breaker besides that (failures in a row,
// however long the row takes), the probes whose interval doubles, a probe on
// demand, a reset and a start in the half-open state are the breaker's own.
// Results of attempts that began in an earlier phase are ignored. Safe for
// concurrent use.
type breaker struct {
	changed func(change) // called after each change, with no lock held
	shut    atomic.Bool  // closed, as most are: what needs no lock to know

	mu       sync.Mutex
	settings config.Breaker
	name     string // of the state
	phase    int    // counts the changes of state
	window   *gobreaker.TwoStepCircuitBreaker[struct{}]
	row      int           // failures since the last success
	probing  bool          // half-open, and its one attempt is under way
	wait     time.Duration // length of the present or next open phase
	until    time.Time     // when the open phase ends
	timer    *time.Timer   // half-opens the breaker then
	notified string        // the state that changed was called with last
}

func newBreaker(settings config.Breaker, changed func(change)) *breaker {
	b := &breaker{changed: changed, settings: settings, notified: BreakerClosed}
	b.close()
	return b
}

// configure takes other settings, without a change of state.
func (b *breaker) configure(settings config.Breaker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settings == settings {
		return
	}
	b.settings = settings
	if b.name == BreakerClosed {
		b.close()
	}
}

// A ticket is the leave to make one attempt. It is handed back by done.
type ticket struct {
	breaker *breaker
	phase   int
	count   func(error) // of the window; nil for a probe
}

func (t ticket) probe() bool { return t.count == nil }

// admit gives leave for an attempt: to everyone while the breaker is closed, to
// one at a time while it is half-open, to nobody while it is open.
func (b *breaker) admit() (ticket, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := ticket{breaker: b, phase: b.phase}
	if b.name == BreakerClosed {
		var err error
		t.count, err = b.window.Allow()
		return t, err == nil
	}
	if b.name == BreakerOpen || b.probing {
		return ticket{}, false
	}
	b.probing = true
	return t, true
}

// ready reports whether admit would give leave, and whether for a probe.
func (b *breaker) ready() (ok, probe bool) {
	if b.shut.Load() {
		return true, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	half := b.name == BreakerHalfOpen
	return b.name == BreakerClosed || half && !b.probing, half
}

// done hands the ticket back with what became of the attempt.
func (t ticket) done(r result) {
	b := t.breaker
	b.mu.Lock()
	if t.phase != b.phase { // the attempt began in another phase
		b.mu.Unlock()
		return
	}
	failed := errors.Is(r.err, errUnhealthy)
	if failed {
		b.row++
	} else if r.err == nil {
		b.row = 0
	}
	freed := false
	switch {
	case !t.probe():
		t.count(r.err)
		if b.window.State() == gobreaker.StateClosed { // as mostly: nothing changes
			b.mu.Unlock()
			return
		}
		b.open()
	case failed:
		b.wait = min(2*b.wait, max(b.settings.MaxOpen, b.settings.Open))
		b.open()
	case r.err == nil:
		b.close()
	default:
		b.probing, freed = false, true
	}
	b.notify(r, freed)
}

// probe ends an open phase now.
func (b *breaker) probe() {
	b.mu.Lock()
	if b.name == BreakerOpen {
		b.enter(BreakerHalfOpen)
	}
	b.notify(result{}, false)
}

// halfOpen puts the breaker where it starts when it was not closed as the relay
// ended: the next attempt is a probe.
func (b *breaker) halfOpen() {
	b.mu.Lock()
	b.enter(BreakerHalfOpen)
	b.notified = BreakerOpen
	b.notify(result{}, false)
}

// reset closes the breaker: what it knew of the endpoint holds no more.
func (b *breaker) reset() {
	b.mu.Lock()
	b.close()
	b.notify(result{}, true)
}

// stop ends the breaker's timer: it does not change on its own any more.
func (b *breaker) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
}

// state returns the state, and until when an open one lasts.
func (b *breaker) state() (state string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.name == BreakerOpen {
		until = b.until
	}
	return b.name, until
}

// notify calls changed if the state is another than the last time, or if always
// is set. It unlocks mu.
func (b *breaker) notify(cause result, always bool) {
	c := change{from: b.notified, to: b.name, cause: cause}
	b.notified = c.to
	b.mu.Unlock()
	if c.from != c.to || always {
		b.changed(c)
	}
}

// enter starts a phase.
func (b *breaker) enter(state string) {
	b.name = state
	b.phase++
	b.probing = false
	b.shut.Store(state == BreakerClosed)
	if b.timer != nil {
		b.timer.Stop()
	}
}

// close starts a closed phase, with an empty window.
func (b *breaker) close() {
	b.enter(BreakerClosed)
	b.row, b.wait = 0, b.settings.Open
	b.window = b.newWindow()
}

// open starts an open phase, which the timer ends.
func (b *breaker) open() {
	b.enter(BreakerOpen)
	phase := b.phase
	b.until = time.Now().Add(b.wait)
	b.timer = time.AfterFunc(b.wait, func() {
		b.mu.Lock()
		if b.phase == phase {
			b.enter(BreakerHalfOpen)
		}
		b.notify(result{}, false)
	})
}

const windowParts = 10 // the window rolls in as many steps

// newWindow makes the gobreaker of one closed phase. It opens when there is
// reason to, and is thrown away then.
func (b *breaker) newWindow() *gobreaker.TwoStepCircuitBreaker[struct{}] {
	settings := b.settings
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Interval:     settings.Window,
		BucketPeriod: settings.Window / windowParts,
		IsExcluded:   func(err error) bool { return errors.Is(err, errGivenUp) },
		ReadyToTrip: func(c gobreaker.Counts) bool {
			known := c.TotalSuccesses + c.TotalFailures
			return b.row >= settings.Failures ||
				known >= uint32(settings.Minimum) && float64(c.TotalFailures) >= settings.Ratio*float64(known)
		},
	})
}
