package journal

import (
	"testing"
	"time"
)

func TestTheFasterWayIsTakenForSoManyRecords(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	type took struct {
		n       int
		batched bool
		time    time.Duration
	}
	for _, test := range []struct {
		name string
		took []took
		n    int
		want bool
	}{
		{"one is never a batch", []took{{1, false, 9 * ms}, {2, true, ms}}, 1, false},
		{"a batch is measured first", []took{{1, false, ms}}, 2, true},
		{"a few singly", []took{{1, false, ms}, {2, true, 5 * ms}}, 3, false},
		{"many as a batch", []took{{1, false, ms}, {2, true, 5 * ms}}, 8, true},
		{"as measured for so many", []took{{1, false, ms}, {2, true, 5 * ms}, {8, false, 3 * ms}}, 8, false},
		{"by a slow disk all is a batch", []took{{1, false, 20 * ms}, {2, true, 15 * ms}}, 2, true},
		{"a disk that hung when a few came is no reason", []took{{1, false, ms}, {2, true, 5 * ms}, {2, false, 80 * ms}, {3, false, 40 * ms}}, 3, false},
		{"a disk that hung once is no reason", append([]took{{2, true, 5 * ms}}, took{1, false, ms}, took{1, false, 900 * ms}), 2, false},
	} {
		p := &pace{}
		for _, m := range test.took {
			p.note(m.n, m.batched, m.time)
		}
		if got := p.batches(test.n); got != test.want {
			t.Errorf("%s: %d records as a batch: %v, want %v", test.name, test.n, got, test.want)
		}
	}
}

func TestTheSlowerWayIsTriedNowAndThenUnlessItIsFarSlower(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		batch time.Duration
		want  int
	}{
		{3 * time.Millisecond, 2},
		{30 * time.Millisecond, 0},
	} {
		p := &pace{}
		p.note(1, false, time.Millisecond)
		p.note(2, true, test.batch)
		tried := 0
		for range 2 * paceLook {
			if p.batches(2) {
				tried++
			}
		}
		if tried != test.want {
			t.Errorf("a batch of %v beside two milliseconds was tried %d times, want %d", test.batch, tried, test.want)
		}
	}
}
