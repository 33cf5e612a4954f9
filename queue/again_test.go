package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/queue/dead"
	"callrelay/queue/engine"
)

// deliver finishes the next n entries of a lane and logs them as delivered.
func deliver(t *testing.T, q *Queue, l *Lane, n int) []string {
	t.Helper()
	entries := next(t, l, n)
	for _, e := range entries {
		q.LogAttempt(l.name, "delivered", []byte(e.ID))
		e.Finish()
	}
	return ids(entries)
}

func again(t *testing.T, q *Queue, a Again, dry bool) Resent {
	t.Helper()
	a.ID = func(attempt []byte) string { return string(attempt) }
	r, err := q.SendAgain(testContext(t), a, dry, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatWasDeliveredAndWhatDiedIsSentAgain(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	write(t, q, records("billing", 0, 3)...)
	write(t, q, records("crm", 0, 8)...)
	deliver(t, q, l, 5)
	rest := next(t, l, 3)
	if err := rest[0].Bury(Death{Reason: "rejected"}); err != nil {
		t.Fatal(err)
	}
	if err := rest[1].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Resent{{Delivered: 5, Letters: 1}} {
		if got := again(t, q, Again{Service: "crm"}, true); got != want {
			t.Errorf("would send %+v, want %+v", got, want)
		}
		if got := again(t, q, Again{Service: "crm"}, false); got != want {
			t.Errorf("sent %+v, want %+v", got, want)
		}
	}
	if got := again(t, q, Again{Service: "crm"}, true); got != (Resent{}) {
		t.Errorf("would send %+v of what waits", got)
	}
	entries := next(t, l, 6)
	if got := ids(entries); !slices.Equal(got, []string{"crm-0", "crm-1", "crm-2", "crm-3", "crm-4", "crm-5"}) {
		t.Errorf("got %v", got)
	}
	for _, e := range entries {
		if e.Attempts != 0 || !e.Replayed || time.Since(e.Accepted) > time.Minute {
			t.Errorf("%s has %d attempts since %v", e.ID, e.Attempts, e.Accepted)
		}
		e.Finish()
	}
	none(t, l)
	rest[2].Finish() // in a cluster, what lies behind it is not known as delivered before
	eventually(t, "it is known that they are delivered", func() bool {
		return again(t, q, Again{Service: "crm", Call: "call-3"}, true).Delivered > 0
	})
	if got := again(t, q, Again{Service: "crm", Call: "call-3"}, false); got != (Resent{Delivered: 1}) {
		t.Errorf("sent %+v of one call, want one of what was sent twice", got)
	}
	if got := ids(next(t, l, 1)); got[0] != "crm-3" {
		t.Errorf("got %v", got)
	}
}

func TestTheTimeOfDeliveryCounts(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	write(t, q, records("crm", 0, 4)...)
	deliver(t, q, l, 1)
	late := next(t, l, 3)
	eventually(t, "the first attempt is kept", func() bool {
		logged, err := q.History(testContext(t), Attempts, "crm", 10)
		return err == nil && len(logged) == 1 && time.Since(logged[0].At) > 5*time.Millisecond
	})
	since := time.Now()
	for _, e := range late[:2] {
		q.LogAttempt("crm", "delivered", []byte(e.ID))
		e.Finish()
	}
	late[2].Finish() // no attempt is kept
	if got := again(t, q, Again{Service: "crm", Since: since}, true); got.Delivered != 2 {
		t.Errorf("%d were delivered since, want 2", got.Delivered)
	}
	if got := again(t, q, Again{Service: "crm", Until: since}, true); got.Delivered != 2 {
		t.Errorf("%d were delivered before, or accepted, want 2", got.Delivered)
	}
}

func TestSendingAgainGoesOnWhereItWasBrokenOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	l := q.Lane("crm")
	write(t, q, records("crm", 0, 1500)...)
	deliver(t, q, l, 1500)
	ctx, stop := context.WithCancel(testContext(t))
	first, err := q.SendAgain(ctx, Again{Service: "crm"}, false, func(int) { stop() })
	if !errors.Is(err, context.Canceled) || first.Delivered == 0 || first.Delivered == 1500 {
		t.Fatalf("sent %+v: %v", first, err)
	}
	shut(t, q)
	q = open(t, engine.Options{Dir: dir})
	l = q.Lane("crm")
	second := again(t, q, Again{Service: "crm"}, false)
	if second.Before < first.Delivered-dead.ReplayBatch || second.Before+second.Delivered != 1500 {
		t.Errorf("sent %+v after %+v", second, first)
	}
	seen := map[string]bool{}
	for _, id := range deliver(t, q, l, 1500) {
		seen[id] = true
	}
	none(t, l)
	if len(seen) != 1500 {
		t.Errorf("%d different ones arrived", len(seen))
	}
	if got := again(t, q, Again{Service: "crm"}, true); got != (Resent{Delivered: 1500}) {
		t.Errorf("the next one would send %+v", got)
	}
}

func TestSendingAgainDoesNotCrowdOutHistory(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir(), MaxBytes: 2 << 20})
	l := q.Lane("crm")
	for n := 0; n < 300; n += 50 {
		write(t, q, large("crm", n, n+50)...)
		deliver(t, q, l, 50)
	}
	_, err := q.SendAgain(testContext(t), Again{Service: "crm"}, false, func(int) {})
	if !errors.Is(err, ErrFull) || !strings.Contains(fmt.Sprint(err), "queue.max_bytes") {
		t.Errorf("got %v", err)
	}
	none(t, l)
}
