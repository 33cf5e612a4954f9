package journal

import (
	"testing"
	"time"
)

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
			var kept []Step
			c := newClock(nil, func(steps []Step) { kept = steps })
			c.Wall = func(now time.Time) int64 { return now.Add(ahead).UnixNano() }
			now := time.Now()
			stored := now.Add(-time.Hour).UnixNano()
			for i, by := range test.steps {
				ahead += by
				now = now.Add(time.Duration(i) * time.Millisecond)
				c.Look(now)
			}
			again := newClock(kept, nil)
			again.Wall = c.Wall
			again.drift.Store(again.driftAt(now))
			for _, c := range []*Clock{c, again} {
				if age := now.Sub(c.Moment(stored, now)); age < test.least-slack || age > test.most+slack {
					t.Errorf("it seems %v old", age)
				}
				if age := now.Sub(c.Moment(c.Wall(now), now)); age.Abs() > slack {
					t.Errorf("what is stored now seems %v old", age)
				}
			}
		})
	}
}

func TestTheTimeBetweenTwoRecordsLeavesOutSteps(t *testing.T) {
	t.Parallel()
	const second, hour = int64(time.Second), int64(time.Hour)
	start := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).UnixNano()
	forward := Step{Before: start + 10*second, By: time.Hour}
	back := Step{Before: start + 10*second, By: -time.Hour}
	for _, test := range []struct {
		name          string
		steps         []Step
		stored, until int64 // from start
		want, back    time.Duration
	}{
		{"not set", nil, 0, 90 * second, 90 * time.Second, 3 * time.Minute},
		{"set forward between them", []Step{forward}, 0, hour + 90*second, 90 * time.Second, time.Hour + 3*time.Minute},
		{"set forward after both", []Step{forward}, 0, 9 * second, 9 * time.Second, 3 * time.Minute},
		{"set forward long before both", []Step{forward}, 2 * hour, 2*hour + 90*second, 90 * time.Second, 3 * time.Minute},
		{"set forward twice", []Step{forward, {Before: start + hour + 20*second, By: time.Hour}}, 0, 2*hour + 90*second, 90 * time.Second, 2*time.Hour + 3*time.Minute},
		{"set back", []Step{back}, 0, 90*second - hour, 0, 3 * time.Minute},
	} {
		c := newClock(test.steps, nil)
		if got := c.Between(start+test.stored, start+test.until); got != test.want {
			t.Errorf("%s: %v lie between them, want %v", test.name, got, test.want)
		}
		if got := time.Duration(start + test.until - c.Back(start+test.until, 3*time.Minute)); got != test.back {
			t.Errorf("%s: three minutes reach back %v, want %v", test.name, got, test.back)
		}
	}
}
