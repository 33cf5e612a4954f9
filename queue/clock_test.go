package queue

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"callrelay/queue/record"

	"callrelay/queue/engine"
)

// setClock has a queue see the machine's clock as if it were set; what it
// stores keeps its true time, as what was stored before a step has.
func setClock(q *Queue) *atomic.Int64 {
	ahead := &atomic.Int64{}
	q.clock.wall = func(now time.Time) int64 { return now.UnixNano() + ahead.Load() }
	return ahead
}

func TestAClockThatIsSetAgesNothing(t *testing.T) {
	t.Parallel()
	const slack = 5 * time.Millisecond
	for _, test := range []struct {
		name  string
		steps []time.Duration
		least time.Duration // what something stored an hour ago may seem
		most  time.Duration
	}{
		{"not set", nil, time.Hour, time.Hour},
		{"corrected slowly", []time.Duration{time.Second / 2, time.Second / 2}, time.Hour, time.Hour + time.Second},
		{"forward", []time.Duration{3 * time.Hour}, time.Hour, time.Hour},
		{"forward by years", []time.Duration{20 * 365 * 24 * time.Hour}, time.Hour, time.Hour},
		{"back by less than its age", []time.Duration{-30 * time.Minute}, time.Hour, time.Hour},
		{"back by more than its age", []time.Duration{-3 * time.Hour}, 0, time.Hour},
		{"forward and back", []time.Duration{3 * time.Hour, -3 * time.Hour}, time.Hour, time.Hour},
		{"back and forward", []time.Duration{-30 * time.Minute, 30 * time.Minute}, time.Hour, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			var ahead time.Duration
			var kept []step
			c := newClock(nil, func(steps []step) { kept = steps })
			c.wall = func(now time.Time) int64 { return now.Add(ahead).UnixNano() }
			now := time.Now()
			stored := now.Add(-time.Hour).UnixNano()
			for i, by := range test.steps {
				ahead += by
				now = now.Add(time.Duration(i) * time.Millisecond)
				c.look(now)
			}
			again := newClock(kept, nil)
			again.wall = c.wall
			again.drift.Store(again.driftAt(now))
			for _, c := range []*clock{c, again} {
				if age := now.Sub(c.moment(stored, now)); age < test.least-slack || age > test.most+slack {
					t.Errorf("it seems %v old", age)
				}
				if age := now.Sub(c.moment(c.wall(now), now)); age.Abs() > slack {
					t.Errorf("what is stored now seems %v old", age)
				}
			}
		})
	}
}

func TestAClockThatIsSetExpiresNoDeliveryAndStallsNoRetry(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		dir := t.TempDir()
		q := open(t, engine.Options{Dir: dir})
		write(t, q, records("crm", 0, 10)...)
		ahead := setClock(q)
		l := q.Lane("crm")
		e := next(t, l, 1)[0]
		ahead.Store(int64(by))
		if err := e.Park(Parking{Attempts: 1, Due: time.Now().Add(50 * time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
		if n, err := q.Sweep(t.Context(), "crm", time.Now().Add(-30*time.Minute), record.Death{Reason: "expired"}); n > 0 || err != nil {
			t.Fatalf("set by %v: %d expired, %v", by, n, err)
		}
		seen := map[string]int{}
		for _, e := range next(t, l, 10) {
			seen[e.ID] = e.Attempts
			if age := time.Since(e.Accepted); age < 0 || age > time.Minute {
				t.Errorf("set by %v: %s seems %v old", by, e.ID, age)
			}
		}
		if len(seen) != 10 || seen["crm-0"] != 1 {
			t.Errorf("set by %v: got %v", by, seen)
		}
		write(t, q, records("crm", 0, 10)...) // known still
		none(t, l)
		var steps []step
		if data, err := q.Load(clockState); err != nil || json.Unmarshal(data, &steps) != nil || len(steps) != 1 || (steps[0].By-by).Abs() > time.Second {
			t.Errorf("set by %v: %+v is kept", by, steps)
		}
	}
}
