package queue

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
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
	q.store.Engine().Pub.Close() // what is written now gets nowhere
	newGroup := func(n int) *journal.Group {
		return &journal.Group{Recs: []record.Record{sample("crm", n)}, Done: func(error) {}}
	}
	first, copied, known := newGroup(1), newGroup(1), newGroup(0)
	q.store.Events.Commit([]*journal.Group{first, copied, known})
	if first.Err == nil || copied.Err == nil {
		t.Errorf("got %v for the first and %v for its copy, want an error for both", first.Err, copied.Err)
	}
	if known.Err != nil {
		t.Errorf("got %v for what was stored before", known.Err)
	}
}

func TestAParkedEntryDoesNotHideThoseBeforeIt(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	o := engine.Options{Dir: t.TempDir()}
	q := open(t, o)
	write(t, q, records("crm", 0, 5)...)
	third := next(t, q.Lane("crm"), 3)[2]
	if _, err := q.parking.park([]*Entry{third}, func(*Entry) Parking { return Parking{Attempts: 1, Due: time.Now().Add(time.Hour)} }); err != nil {
		t.Fatal(err)
	}
	shut(t, q)
	for _, name := range []string{"floors.0", "floors.1"} { // as if the crash came before they were saved
		if err := os.Truncate(q.store.Folder.Path(name), 0); err != nil {
			t.Fatal(err)
		}
	}
	q = open(t, o)
	l := q.Lane("crm")
	next(t, l, 1)
	eventually(t, "all records have come from the stream", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.pull.feed.waiting == 0
	})
	if got := q.saving.snapshot().Lanes["crm"]; got.High != 1 || !slices.Equal(got.Open, []uint64{1}) {
		t.Errorf("saved floor: high %d, open %d; the second record, still owed, would be taken for finished", got.High, got.Open)
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
		q.store.Events.CommitMu.Lock()
		q.store.Events.Recent.Forget(q.store.Events.Recent.Hash(r.Key()))
		q.store.Events.CommitMu.Unlock()
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

// TestAnAcknowledgementThatComesTwiceIsOne: it does not stand for that of another
// record, which JetStream has not stored.
func TestAnAcknowledgementThatComesTwiceIsOne(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	f, q := overFaulty(t)
	f.mu.Lock()
	f.Delay = 200 * time.Millisecond
	f.mu.Unlock()
	write(t, q, records("crm", 0, 2)...) // as a batch, which is found to be slow
	f.mu.Lock()
	f.Delay = 0
	f.mu.Unlock()
	write(t, q, sample("crm", 2))
	f.mu.Lock()
	f.Twice, f.Last = 1, 2
	f.mu.Unlock()
	if err := q.Write(testContext(t), records("crm", 3, 5)); !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("the second record froze its stream, and the write returned %v", err)
	}
}

// overFaulty opens a queue over a JetStream that does not fail yet.
func overFaulty(t *testing.T) (*faulty, *Queue) {
	t.Helper()
	f := newFaulty(1)
	return f, open(t, engine.Options{Dir: t.TempDir(), Seams: engine.Seams{JetStream: func() engine.JetStream {
		f.Start()
		return f
	}}})
}
