package deliver

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrelay/config"
)

var breakerDefaults = config.Breaker{
	Failures: 5, Ratio: 0.5, Minimum: 20, Window: 30 * time.Second, Open: 15 * time.Second, MaxOpen: 5 * time.Minute,
}

// changes are what a breaker told of.
type changes struct {
	mu   sync.Mutex
	list []change
}

func (c *changes) add(one change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, one)
}

func (c *changes) all() []change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

func watched(settings config.Breaker) (*breaker, *changes) {
	told := &changes{}
	return newBreaker(settings, told.add), told
}

// answer has an attempt be made, if there is leave.
func answer(b *breaker, err error) (admitted bool) {
	t, ok := b.admit()
	if ok {
		t.done(result{err: err, why: "status 503"})
	}
	return ok
}

func stateOf(b *breaker) string {
	state, _ := b.state()
	return state
}

func TestBreakerOpensOnFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := watched(breakerDefaults)
		for range 4 {
			answer(b, errUnhealthy)
			pass(10 * time.Minute) // a row is a row, however long it takes
		}
		answer(b, nil)
		for range 4 {
			answer(b, errUnhealthy)
		}
		if got := stateOf(b); got != BreakerClosed {
			t.Fatalf("state = %s after four failures in a row, want closed", got)
		}
		answer(b, errUnhealthy)
		state, until := b.state()
		if state != BreakerOpen || time.Until(until) != 15*time.Second {
			t.Errorf("state = %s for %s after five, want open for 15s", state, time.Until(until))
		}
		if answer(b, nil) {
			t.Error("an attempt was admitted while open")
		}
		want := change{from: BreakerClosed, to: BreakerOpen, cause: result{err: errUnhealthy, why: "status 503"}}
		if got := told.all(); len(got) != 1 || got[0] != want {
			t.Errorf("told of %v", got)
		}
	})
}

func TestBreakerOpensOnARatio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		settings := breakerDefaults
		settings.Failures = 100
		b, _ := watched(settings)
		for i := range 19 {
			answer(b, []error{nil, errUnhealthy}[i%2])
		}
		if got := stateOf(b); got != BreakerClosed {
			t.Fatalf("state = %s below the minimum, want closed", got)
		}
		answer(b, errUnhealthy)
		if got := stateOf(b); got != BreakerOpen {
			t.Errorf("state = %s at half of 20, want open", got)
		}
		b.reset()
		for i := range 100 { // half of all, but never 20 within the window
			answer(b, []error{nil, errUnhealthy}[i%2])
			pass(3 * time.Second)
		}
		if got := stateOf(b); got != BreakerClosed {
			t.Errorf("state = %s for a slow trickle, want closed", got)
		}
	})
}

func TestProbesDoubleTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := watched(breakerDefaults)
		for range 5 {
			answer(b, errUnhealthy)
		}
		for _, interval := range []time.Duration{15, 30, 60, 120, 240, 300, 300} {
			pass(interval*time.Second - time.Second)
			if ok, _ := b.ready(); ok {
				t.Fatalf("ready before %ds have passed", interval)
			}
			pass(time.Second + 10*time.Millisecond)
			if ok, probe := b.ready(); !ok || !probe {
				t.Fatalf("no probe after %ds", interval)
			}
			leave, ok := b.admit()
			if !ok {
				t.Fatal("the probe is not admitted")
			}
			if answer(b, nil) {
				t.Error("a second probe was admitted beside the first")
			}
			leave.done(result{err: errUnhealthy})
		}
		b.probe() // on demand, without waiting
		pass(10 * time.Millisecond)
		if !answer(b, nil) || stateOf(b) != BreakerClosed {
			t.Errorf("state = %s after a good probe, want closed", stateOf(b))
		}
		if all := told.all(); all[len(all)-1].to != BreakerClosed {
			t.Errorf("told of %v", all)
		}
		for range 5 {
			answer(b, errUnhealthy)
		}
		if _, until := b.state(); time.Until(until) != 15*time.Second {
			t.Errorf("the interval starts at %s again, want 15s", time.Until(until))
		}
		b.stop()
	})
}

func TestAProbeGivenUpFreesItsLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, told := watched(breakerDefaults)
		b.halfOpen()
		pass(10 * time.Millisecond)
		before := len(told.all())
		if !answer(b, errGivenUp) {
			t.Fatal("no probe is admitted")
		}
		if len(told.all()) != before+1 {
			t.Error("nobody is told that the leave is free")
		}
		answer(b, errUnhealthy)
		if state, until := b.state(); state != BreakerOpen || time.Until(until) != 30*time.Second {
			t.Errorf("%s for %s after a failed probe, want open for 30s", state, time.Until(until))
		}
		pass(31 * time.Second)
		if !answer(b, nil) || stateOf(b) != BreakerClosed {
			t.Errorf("state = %s, want the next probe to close it", stateOf(b))
		}
		b.stop()
	})
}

func TestResultsOfAnEarlierPhaseAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := watched(breakerDefaults)
		slow, _ := b.admit()
		for range 5 {
			answer(b, errUnhealthy)
		}
		slow.done(result{})
		if got := stateOf(b); got != BreakerOpen {
			t.Errorf("state = %s, want open: the success began before", got)
		}
		b.reset()
		if got := stateOf(b); got != BreakerClosed {
			t.Errorf("state = %s after a reset", got)
		}
		b.stop()
	})
}
