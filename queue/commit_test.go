package queue

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"callrelay/queue/queuetest"
)

func TestACopyInTheSameCommitSharesTheFateOfTheFirst(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q, err := Open(testContext(t), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close(context.Background()) }) // it has lost its stream
	write(t, q, record("crm", 0))
	q.engine.Load().pub.Close() // what is written now gets nowhere
	newGroup := func(n int) *group { return &group{recs: []Record{record("crm", n)}, done: func(error) {}} }
	first, copied, known := newGroup(1), newGroup(1), newGroup(0)
	q.events.commit([]*group{first, copied, known})
	if first.err == nil || copied.err == nil {
		t.Errorf("got %v for the first and %v for its copy, want an error for both", first.err, copied.err)
	}
	if known.err != nil {
		t.Errorf("got %v for what was stored before", known.err)
	}
}

func TestALargeGroupIsTakenWhenNothingElseWaits(t *testing.T) {
	t.Parallel()
	c := newCommitter(dead, func(error) {})
	c.setRefuse(nil)
	half := &group{recs: []Record{{Body: make([]byte, maxWaitingBytes/2)}}, done: func(error) {}}
	large := &group{recs: []Record{half.recs[0], half.recs[0]}, done: func(error) {}}
	for _, g := range []*group{half, large} {
		for i := range g.recs {
			g.bytes += sizeOf(&g.recs[i])
		}
	}
	if err := c.enqueue(large); err != nil {
		t.Errorf("alone: %v", err)
	}
	if err := c.enqueue(half); !errors.Is(err, ErrFull) {
		t.Errorf("behind it: got %v, want %v", err, ErrFull)
	}
}

func TestWhoSendsFastWaitsForRoom(t *testing.T) {
	t.Parallel()
	c := newCommitter(events, func(error) {})
	c.setRefuse(nil)
	g := &group{recs: []Record{{Body: make([]byte, maxWaitingBytes)}}, done: func(error) {}}
	c.add(g)
	entered := make(chan struct{})
	go func() {
		c.room()
		close(entered)
	}()
	eventually(t, "somebody waits", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.freed != nil
	})
	select {
	case <-entered:
		t.Error("let in while the committer is full")
	default:
	}
	c.release([]*group{g})
	<-entered
	c.add(g)
	c.setRefuse(ErrUnavailable)
	c.room() // nothing to wait for
}

func TestAParkedEntryDoesNotHideThoseBeforeIt(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	q := open(t, o)
	write(t, q, records("crm", 0, 5)...)
	third := next(t, q.Lane("crm"), 3)[2]
	if _, err := q.park(third, Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	shut(t, q)
	for _, name := range []string{"floors.0", "floors.1"} { // as if the crash came before they were saved
		if err := os.Truncate(q.folder.path(name), 0); err != nil {
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
