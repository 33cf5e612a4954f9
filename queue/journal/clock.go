package journal

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callrelay/queue/engine"
)

// Clock turns the times that are stored, which are those that the machine's clock
// showed, into moments of this process. That clock may be set while the relay
// runs, by an hour or by years after a start without a network. Nothing that
// waits may come due, expire or stall by that: in memory all times are of the
// clock that only goes forward, and what was stored before a step is told from
// what was stored after it.
type Clock struct {
	drift atomic.Int64           // how far the machine's clock is ahead of the one of this process
	steps atomic.Pointer[[]Step] // ascending by when they happened
	moved func(steps []Step)     // told of a new one
	Wall  func(time.Time) int64  // what the machine's clock shows then, in Unix nanoseconds

	mu   sync.Mutex
	seen time.Time // when it was looked at last
}

// Step is a time at which the machine's clock was set.
type Step struct {
	Before int64         // what is stored with a time up to this, in Unix nanoseconds, was stored before it
	By     time.Duration // how far it was set forward
}

const (
	leastStep = time.Second // less than this is a clock being corrected slowly
	mostSteps = 64
)

// Began is when this process did. Times in memory are counted from here.
var Began = time.Now()

// SinceBegan is a moment as the time since this process began.
func SinceBegan(t time.Time) time.Duration { return t.Sub(Began) }

func newClock(known []Step, moved func([]Step)) *Clock {
	c := &Clock{seen: time.Now(), moved: moved, Wall: time.Time.UnixNano}
	c.steps.Store(&known)
	c.drift.Store(c.driftAt(c.seen))
	return c
}

func (c *Clock) driftAt(now time.Time) int64 {
	return c.Wall(now) - Began.UnixNano() - int64(SinceBegan(now))
}

// Look finds out whether the machine's clock was set since the last look.
func (c *Clock) Look(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	elapsed := now.Sub(c.seen)
	if elapsed < 0 {
		return // somebody looked later
	}
	drift := c.driftAt(now)
	by := drift - c.drift.Load()
	before := c.Wall(now) - max(by, int64(elapsed))
	c.seen = now
	c.drift.Store(drift)
	if isStep(by) {
		steps := append(slices.Clone(*c.steps.Load()), Step{before, time.Duration(by)})
		steps = steps[max(len(steps)-mostSteps, 0):]
		c.steps.Store(&steps)
		c.moved(steps)
	}
}

func isStep(by int64) bool { return time.Duration(by).Abs() >= leastStep }

// Moment is when a record was stored, by the clock that only goes forward. Where
// that cannot be known it is later rather than earlier.
func (c *Clock) Moment(stored int64, now time.Time) time.Time {
	if isStep(c.driftAt(now) - c.drift.Load()) {
		c.Look(now)
	}
	age := c.Wall(now) - stored
	for _, s := range *c.steps.Load() {
		if stored <= s.Before {
			age -= int64(s.By)
		}
	}
	return now.Add(-time.Duration(max(age, 0)))
}

// Between is how long before another record one was stored, each with its time,
// by the clock that only goes forward. Where that cannot be known, after a step
// back, it is none.
func (c *Clock) Between(stored, until int64) time.Duration {
	age := until - stored
	for _, s := range *c.steps.Load() {
		if s.By > 0 && stored <= s.Before && s.Before < until {
			age -= int64(s.By)
		}
	}
	return time.Duration(max(age, 0))
}

// Back is a time before which nothing was stored that is no older than so much, at
// the time until.
func (c *Clock) Back(until int64, by time.Duration) int64 {
	at := until - int64(by)
	for _, s := range slices.Backward(*c.steps.Load()) {
		if s.By > 0 && s.Before < until && at < s.Before+int64(s.By) {
			at -= int64(s.By)
		}
	}
	return at
}

// ClockState is the name under which the steps are kept: what was stored before
// one may outlast the process.
const ClockState = "clock"

// OpenClock takes up the steps that are known.
func OpenClock(f *engine.Folder, log *slog.Logger) *Clock {
	var known []Step
	if f.LoadJSON(ClockState, &known) != nil {
		known = nil // the times are as they are
	}
	return newClock(known, func(steps []Step) {
		log.Warn("the machine's clock was set", "by", steps[len(steps)-1].By.Round(time.Millisecond))
		if err := f.SaveJSON(ClockState, steps); err != nil {
			log.Warn("that is not kept for the next start", "err", err)
		}
	})
}
