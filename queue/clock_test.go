package queue

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// setClock has a queue see the machine's clock as if it were set; what it
// stores keeps its true time, as what was stored before a step has.
func setClock(q *Queue) *atomic.Int64 {
	ahead := &atomic.Int64{}
	q.store.Clock.Wall = func(now time.Time) int64 { return now.UnixNano() + ahead.Load() }
	return ahead
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
		var steps []journal.Step
		if data, err := q.Load(journal.ClockState); err != nil || json.Unmarshal(data, &steps) != nil || len(steps) != 1 || (steps[0].By-by).Abs() > time.Second {
			t.Errorf("set by %v: %+v is kept", by, steps)
		}
	}
}
