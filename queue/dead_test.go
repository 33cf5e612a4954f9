package queue

import (
	"fmt"
	"testing"
	"time"
)

func TestOverflowCostsOnlyTheServiceThatHoldsMost(t *testing.T) {
	t.Parallel()
	high := make(chan int64, 100)
	q := open(t, Options{Dir: t.TempDir(), MaxBytes: 4 << 20, OnHigh: func(bytes, _ int64) { high <- bytes }})
	body := make([]byte, 4000)
	for n := range 900 {
		r := record("deaf", n)
		r.Body = body
		write(t, q, r)
		if n%50 == 0 {
			write(t, q, record("well", n))
		}
	}
	eventually(t, "room was made", func() bool {
		s := q.Stats()
		return s.Services["deaf"].Dead["overflow"] > 0 && !s.High
	})
	if len(high) != 1 {
		t.Errorf("told %d times, want 1", len(high))
	}
	if s := q.Stats().Services["well"]; s.Waiting != 18 || s.Dead != nil {
		t.Errorf("the other service has %+v", s)
	}
	first := next(t, q.Lane("deaf"), 1)[0]
	if lost := q.Stats().Services["deaf"].Dead["overflow"]; first.ID != fmt.Sprintf("deaf-%d", lost) {
		t.Errorf("%d given up, but the oldest left is %s", lost, first.ID)
	}
}

func TestSweepTakesWhatIsOldAndNotInFlight(t *testing.T) {
	t.Parallel()
	q := open(t, Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 1200)...)
	l := q.Lane("crm")
	entries := next(t, l, 10)
	for _, e := range entries[5:] {
		if err := e.Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a millisecond passed", func() bool { return time.Since(entries[0].Accepted) > 10*time.Millisecond })
	before := time.Now()
	write(t, q, record("crm", 5000))
	n, err := q.Sweep(testContext(t), "crm", before, Death{Reason: "expired"})
	if n != 1195 || err != nil {
		t.Fatalf("swept %d: %v, want 1195", n, err)
	}
	if n, err := q.Sweep(testContext(t), "crm", before, Death{Reason: "expired"}); n != 0 || err != nil {
		t.Fatalf("swept %d again: %v", n, err)
	}
	if e := next(t, l, 1)[0]; e.ID != "crm-5000" {
		t.Errorf("got %s", e.ID)
	}
	s := q.Stats().Services["crm"]
	if s.InFlight != 6 || s.Parked != 0 || s.Waiting != 0 || s.Oldest != entries[0].Accepted {
		t.Errorf("got %+v", s)
	}
	eventually(t, "the letters are counted", func() bool { return q.Stats().Services["crm"].Dead["expired"] == 1195 })
}
