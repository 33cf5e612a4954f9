package queue

import (
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// clock turns the times that are stored, which are those that the machine's clock
// showed, into moments of this process. That clock may be set while the relay
// runs, by an hour or by years after a start without a network. Nothing that
// waits may come due, expire or stall by that: in memory all times are of the
// clock that only goes forward, and what was stored before a step is told from
// what was stored after it.
type clock struct {
	drift atomic.Int64           // how far the machine's clock is ahead of the one of this process
	steps atomic.Pointer[[]step] // ascending by when they happened
	moved func(steps []step)     // told of a new one
	wall  func(time.Time) int64  // what the machine's clock shows then, in Unix nanoseconds

	mu   sync.Mutex
	seen time.Time // when it was looked at last
}

// step is a time at which the machine's clock was set.
type step struct {
	Before int64         // what is stored with a time up to this, in Unix nanoseconds, was stored before it
	By     time.Duration // how far it was set forward
}

const (
	leastStep = time.Second // less than this is a clock being corrected slowly
	mostSteps = 64
)

// began is when this process did. Times in memory are counted from here.
var began = time.Now()

// sinceBegan is a moment as the time since this process began.
func sinceBegan(t time.Time) time.Duration { return t.Sub(began) }

func newClock(known []step, moved func([]step)) *clock {
	c := &clock{seen: time.Now(), moved: moved, wall: time.Time.UnixNano}
	c.steps.Store(&known)
	c.drift.Store(c.driftAt(c.seen))
	return c
}

func (c *clock) driftAt(now time.Time) int64 {
	return c.wall(now) - began.UnixNano() - int64(sinceBegan(now))
}

// look finds out whether the machine's clock was set since the last look.
func (c *clock) look(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	elapsed := now.Sub(c.seen)
	if elapsed < 0 {
		return // somebody looked later
	}
	drift := c.driftAt(now)
	by := drift - c.drift.Load()
	before := c.wall(now) - max(by, int64(elapsed))
	c.seen = now
	c.drift.Store(drift)
	if isStep(by) {
		steps := append(slices.Clone(*c.steps.Load()), step{before, time.Duration(by)})
		steps = steps[max(len(steps)-mostSteps, 0):]
		c.steps.Store(&steps)
		c.moved(steps)
	}
}

func isStep(by int64) bool { return time.Duration(by).Abs() >= leastStep }

// moment is when a record was stored, by the clock that only goes forward. Where
// that cannot be known it is later rather than earlier.
func (c *clock) moment(stored int64, now time.Time) time.Time {
	if isStep(c.driftAt(now) - c.drift.Load()) {
		c.look(now)
	}
	age := c.wall(now) - stored
	for _, s := range *c.steps.Load() {
		if stored <= s.Before {
			age -= int64(s.By)
		}
	}
	return now.Add(-time.Duration(max(age, 0)))
}

// clockState is the name under which the steps are kept: what was stored before
// one may outlast the process.
const clockState = "clock"

// openClock takes up the steps that are known.
func (q *Queue) openClock() {
	var known []step
	if data, err := q.Load(clockState); err == nil && json.Unmarshal(data, &known) != nil {
		known = nil // the times are as they are
	}
	q.clock = newClock(known, func(steps []step) {
		q.o.Log.Warn("the machine's clock was set", "by", steps[len(steps)-1].By.Round(time.Millisecond))
		data, err := json.Marshal(steps)
		if err == nil {
			err = q.Save(clockState, data)
		}
		if err != nil {
			q.o.Log.Warn("that is not kept for the next start", "err", err)
		}
	})
}
