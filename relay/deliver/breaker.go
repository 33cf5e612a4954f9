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
	operational bool   // the delivery tells of the relay itself
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

// breaker guards one endpoint. What gobreaker lacks is added around it: probes
// whose interval doubles, failures in a row that are counted however long the
// row takes, a probe on demand, a reset, and a start in the half-open state.
// Each phase has a gobreaker of its own, so that results of attempts that began
// in an earlier one are ignored. Safe for concurrent use.
type breaker struct {
	changed func(change) // called after each change, with no lock held
	shut    atomic.Bool  // closed, as most are: what needs no lock to know

	mu       sync.Mutex
	settings config.Breaker
	phase    *gobreaker.TwoStepCircuitBreaker[struct{}]
	row      int           // failures since the last success
	wait     time.Duration // length of the present or next open phase
	until    time.Time     // when the open phase ends
	timer    *time.Timer   // tells of that end
	told     string        // the state last told of
}

func newBreaker(settings config.Breaker, changed func(change)) *breaker {
	b := &breaker{changed: changed, settings: settings, told: BreakerClosed}
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
	if b.phase.State() == gobreaker.StateClosed {
		b.close()
	}
}

// A ticket is the leave to make one attempt. It is handed back by done.
type ticket struct {
	breaker *breaker
	phase   *gobreaker.TwoStepCircuitBreaker[struct{}]
	report  func(error)
	probe   bool
}

// admit gives leave for an attempt: to everyone while the breaker is closed, to
// one at a time while it is half-open, to nobody while it is open.
func (b *breaker) admit() (ticket, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	probe := !b.shut.Load() && b.phase.State() == gobreaker.StateHalfOpen
	report, err := b.phase.Allow()
	return ticket{breaker: b, phase: b.phase, report: report, probe: probe}, err == nil
}

// ready reports whether admit would give leave, and whether for a probe.
func (b *breaker) ready() (ok, probe bool) {
	if b.shut.Load() {
		return true, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.phase.State() {
	case gobreaker.StateClosed:
		return true, false
	case gobreaker.StateHalfOpen:
		counts := b.phase.Counts()
		return counts.Requests == counts.TotalExclusions, true
	default:
		return false, false
	}
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
	t.report(r.err)
	switch {
	case !failed && b.shut.Load(): // as mostly: nothing changes
		b.mu.Unlock()
		return
	case t.probe && failed:
		b.wait = min(2*b.wait, max(b.settings.MaxOpen, b.settings.Open))
		b.open(b.wait)
	case t.probe && r.err == nil:
		b.close()
	case !t.probe && b.phase.State() != gobreaker.StateClosed:
		b.open(b.wait)
	}
	freed := t.probe && errors.Is(r.err, errGivenUp)
	b.tell(r, freed)
}

// probe ends an open phase now.
func (b *breaker) probe() {
	b.mu.Lock()
	if b.phase.State() == gobreaker.StateOpen {
		b.open(time.Nanosecond)
	}
	b.tell(result{}, false)
}

// halfOpen puts the breaker where it starts when it was not closed as the relay
// ended: the next attempt is a probe.
func (b *breaker) halfOpen() {
	b.mu.Lock()
	b.open(time.Nanosecond)
	b.told = BreakerOpen
	b.tell(result{}, false)
}

// reset closes the breaker: what it knew of the endpoint holds no more.
func (b *breaker) reset() {
	b.mu.Lock()
	b.close()
	b.tell(result{}, true)
}

// stop ends the breaker's timer. It tells of no change any more on its own.
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
	state = b.phase.State().String()
	if state == BreakerOpen {
		until = b.until
	}
	return state, until
}

// tell calls changed if the state is another than last told, or if always is
// set. It unlocks mu.
func (b *breaker) tell(cause result, always bool) {
	c := change{from: b.told, to: b.phase.State().String(), cause: cause}
	b.told = c.to
	b.mu.Unlock()
	if c.from != c.to || always {
		b.changed(c)
	}
}

// close starts a closed phase.
func (b *breaker) close() {
	b.shut.Store(true)
	b.row = 0
	b.wait = b.settings.Open
	b.phase = b.newPhase(b.wait)
	if b.timer != nil {
		b.timer.Stop()
	}
}

// open starts an open phase, into which a gobreaker can only be driven.
func (b *breaker) open(wait time.Duration) {
	b.shut.Store(false)
	b.row = max(b.row, b.settings.Failures)
	b.phase = b.newPhase(wait)
	if report, err := b.phase.Allow(); err == nil {
		report(errUnhealthy)
	}
	b.until = time.Now().Add(wait)
	if b.timer != nil {
		b.timer.Stop()
	}
	b.timer = time.AfterFunc(wait+time.Millisecond, func() { // gobreaker wants the end to be past
		b.mu.Lock()
		b.tell(result{}, false)
	})
}

const windowParts = 10 // the window rolls in as many steps

func (b *breaker) newPhase(wait time.Duration) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	settings := b.settings
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Interval:     settings.Window,
		BucketPeriod: settings.Window / windowParts,
		Timeout:      wait,
		IsExcluded:   func(err error) bool { return errors.Is(err, errGivenUp) },
		ReadyToTrip: func(c gobreaker.Counts) bool {
			known := c.TotalSuccesses + c.TotalFailures
			return b.row >= settings.Failures ||
				known >= uint32(settings.Minimum) && float64(c.TotalFailures) >= settings.Ratio*float64(known)
		},
	})
}
