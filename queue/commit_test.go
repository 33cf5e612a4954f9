package queue

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"callrelay/queue/queuetest"

	"callrelay/queue/record"

	"callrelay/queue/engine"
)

func TestACopyInTheSameCommitSharesTheFateOfTheFirst(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q, err := Open(testContext(t), engine.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close(context.Background()) }) // it has lost its stream
	write(t, q, sample("crm", 0))
	q.engine.Load().Pub.Close() // what is written now gets nowhere
	newGroup := func(n int) *group { return &group{recs: []record.Record{sample("crm", n)}, done: func(error) {}} }
	first, copied, known := newGroup(1), newGroup(1), newGroup(0)
	q.events.commit([]*group{first, copied, known})
	if first.err == nil || copied.err == nil {
		t.Errorf("got %v for the first and %v for its copy, want an error for both", first.err, copied.err)
	}
	if known.err != nil {
		t.Errorf("got %v for what was stored before", known.err)
	}
}

func TestAParkedEntryDoesNotHideThoseBeforeIt(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	o := engine.Options{Dir: t.TempDir()}
	q := open(t, o)
	write(t, q, records("crm", 0, 5)...)
	third := next(t, q.Lane("crm"), 3)[2]
	if _, err := q.park(third, Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	shut(t, q)
	for _, name := range []string{"floors.0", "floors.1"} { // as if the crash came before they were saved
		if err := os.Truncate(q.folder.Path(name), 0); err != nil {
			t.Fatal(err)
		}
	}
	q = open(t, o)
	l := q.Lane("crm")
	next(t, l, 1)
	eventually(t, "all records have come from the stream", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.feed.waiting == 0
	})
	if got := q.snapshot().lanes["crm"]; got.high != 1 || !slices.Equal(got.open, []uint64{1}) {
		t.Errorf("saved floor: high %d, open %d; the second record, still owed, would be taken for finished", got.high, got.open)
	}
	for _, e := range next(t, l, 3) {
		if e.Seq == third.Seq {
			t.Error("the parked entry was handed out before its time")
		}
	}
	none(t, l)
	if s := q.Stats().Services["crm"]; s.Waiting != 0 || s.InFlight != 4 || s.Parked != 1 {
		t.Errorf("got %d waiting, %d in flight, %d parked; want 0, 4, 1", s.Waiting, s.InFlight, s.Parked)
	}
}

func TestWhatJetStreamTakesForACopyWronglyIsStored(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 3)...)
	for n := range 3 { // as after the window, on a clock that was set back
		r := sample("crm", n)
		q.events.commitMu.Lock()
		q.events.recent.forget(q.events.recent.hash(r.Key()))
		q.events.commitMu.Unlock()
	}
	write(t, q, records("crm", 0, 5)...)
	got := map[string]int{}
	for _, e := range next(t, q.Lane("crm"), 8) {
		got[e.ID]++
		e.Finish()
	}
	for n := range 5 {
		want := 1
		if n < 3 {
			want = 2
		}
		if id := sample("crm", n).ID; got[id] != want {
			t.Errorf("%s came %d times, want %d", id, got[id], want)
		}
	}
}
