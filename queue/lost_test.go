package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// deleteStream does as an operator may.
func deleteStream(t *testing.T, q *Queue, stream string) {
	t.Helper()
	err := q.store.Engine().JS.DeleteStream(testContext(t), stream)
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) { // the queue is quick to restart
		t.Fatal(err)
	}
}

// parkAs parks a record as if it had lain in EVENTS under a sequence.
func parkAs(t *testing.T, q *Queue, r record.Record, origin uint64) {
	t.Helper()
	e := &Entry{Record: r, Seq: origin, stored: time.Now().UnixNano()}
	g := &journal.Group{Recs: []record.Record{r}, Notes: []record.Note{parkNote(e, Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}, "")}, Keys: []string{""}}
	if err := q.store.Retry.Store(g); err != nil {
		t.Fatal(err)
	}
}

// TestAParkedCopyOfWhatEventsLostHidesNothing plays a power cut between the sync
// of RETRY and that of EVENTS: the copy is there, and its sequence in EVENTS is
// given to another record.
func TestAParkedCopyOfWhatEventsLostHidesNothing(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	o := engine.Options{Dir: t.TempDir()}
	q := open(t, o)
	write(t, q, sample("crm", 0))
	parkAs(t, q, sample("crm", 9), 1) // of a record that was lost, and its sequence given to crm-0
	parkAs(t, q, sample("crm", 1), 2)
	shut(t, q)
	q = open(t, o)
	write(t, q, sample("crm", 77))
	if got := ids(next(t, q.Lane("crm"), 2)); !slices.Equal(got, []string{"crm-0", "crm-77"}) {
		t.Errorf("got %v, want both that were acknowledged", got)
	}
	if s := q.Stats().Services["crm"]; s.Parked != 2 {
		t.Errorf("%d parked, want 2", s.Parked)
	}
}

func TestALotForgetsWhatIsBehindTheEndOfTheStream(t *testing.T) {
	var lot parkingLot
	r := sample("crm", 1)
	lot.take(&parked{origin: 3, key: record.Hash(&r)})
	lot.take(&parked{origin: 4, key: record.Hash(&r)})
	lot.clamp(3)
	if lot.tookOver(&Entry{Record: r, Seq: 4}) {
		t.Error("a sequence that is given anew is taken for the one before")
	}
	if !lot.tookOver(&Entry{Record: r, Seq: 3}) {
		t.Error("what the stream has is forgotten")
	}
}

// TestWhatWasRefusedIsGoneAfterARestart stores a record that nobody was told of,
// as when the disk fails to sync it.
func TestWhatWasRefusedIsGoneAfterARestart(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, sample("crm", 0))
	eng := q.store.Engine()
	for range 3 {
		if _, err := eng.JS.Publish(testContext(t), "events.crm.post_call", []byte("refused")); err != nil {
			t.Fatal(err)
		}
	}
	q.store.Fail(errors.New("the disk reports an error"))
	eventually(t, "the queue takes records again", func() bool { return q.Health() == nil })
	write(t, q, sample("crm", 1))
	if got := ids(next(t, q.Lane("crm"), 2)); !slices.Equal(got, []string{"crm-0", "crm-1"}) {
		t.Errorf("got %v", got)
	}
	if n := stored(t, q); n != 2 {
		t.Errorf("%d records are stored, want the 2 that were acknowledged", n)
	}
}

// failingOnce is a base in whose first attachAll something fails.
type failingOnce struct {
	base
	q      *Queue
	failed atomic.Bool
}

func (b *failingOnce) Serve(ctx context.Context, eng *engine.Engine) error {
	if b.failed.CompareAndSwap(false, true) {
		b.q.store.Fail(errors.New("again"))
	}
	return b.base.Serve(ctx, eng)
}

func TestAFailureDuringARestartCausesAnother(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	b := &failingOnce{base: q.base, q: q}
	var engines []*engine.Engine
	q.store.Backend = b
	q.store.Fail(errors.New("made up"))
	eventually(t, "the queue takes records again", func() bool {
		if eng := q.store.Engine(); eng != nil && !slices.Contains(engines, eng) && b.failed.Load() {
			engines = append(engines, eng)
		}
		return q.Health() == nil
	})
	if len(engines) < 2 {
		t.Errorf("%d starts were seen after the failure, want another one for the failure in it", len(engines))
	}
	write(t, q, sample("crm", 1))
}

// TestDeliveriesStayWithTheirServiceWhenRetryIsMadeAnew has sequences of RETRY
// given twice.
func TestDeliveriesStayWithTheirServiceWhenRetryIsMadeAnew(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	park := func(service string) {
		write(t, q, records(service, 0, 3)...)
		for _, e := range next(t, q.Lane(service), 3) {
			eventually(t, "it is parked", func() bool { return e.Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}) == nil })
		}
	}
	park("alpha")
	deleteStream(t, q, record.Retry)
	park("beta")
	eventually(t, "the queue is well", func() bool { return q.Health() == nil })
	q.Lane("alpha").Wake(WakeAll)
	q.Lane("beta").Wake(WakeAll)
	none(t, q.Lane("alpha"))
	for _, e := range next(t, q.Lane("beta"), 3) {
		if e.Service != "beta" {
			t.Errorf("a delivery of %s goes to beta's endpoint", e.Service)
		}
		e.Finish()
	}
	losses := q.store.Lost.List()
	if len(losses) != 1 || losses[0].Stream != record.Retry || losses[0].Records != 3 {
		t.Errorf("losses: %v, want the 3 of RETRY", losses)
	}
	if err := q.Degraded(); err == nil || !strings.Contains(err.Error(), "3 records are lost") {
		t.Errorf("degraded: %v", err)
	}
}

func TestAParkedRecordThatIsAnotherOneIsNotHandedOut(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 2)...)
	for _, e := range next(t, q.Lane("crm"), 2) {
		if err := e.Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	l := q.Lane("crm")
	l.mu.Lock()
	l.retrying.lot.items[0].seq, l.retrying.lot.items[1].seq = l.retrying.lot.items[1].seq, l.retrying.lot.items[0].seq
	l.mu.Unlock()
	l.Wake(WakeAll)
	none(t, l)
}

func TestWhatIsUnderWayEndsNothingInAStreamMadeAnew(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 5)...)
	l := q.Lane("crm")
	old := next(t, l, 2)
	deleteStream(t, q, record.Events)
	eventually(t, "the loss is noticed", func() bool { q.Stats(); return len(q.store.Lost.List()) == 1 && q.Health() == nil })
	write(t, q, records("crm", 10, 15)...)
	if got := ids(next(t, l, 2)); got[0] != "crm-10" {
		t.Errorf("got %v", got)
	}
	for _, e := range old {
		e.Finish() // their sequences are those of crm-10 and crm-11 now
	}
	if p := q.saving.current().Lanes["crm"]; len(p.Open) != 2 {
		t.Errorf("open are %v up to %d, want those of the two that are in flight", p.Open, p.High)
	}
	if s := q.Stats().Services["crm"]; s.InFlight != 2 || s.Waiting != 3 {
		t.Errorf("%d in flight and %d waiting, want 2 and 3", s.InFlight, s.Waiting)
	}
}

func TestTheOldestIsNoneThatAnOperatorPurged(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 5)...)
	eventually(t, "the oldest is known", func() bool { return !q.Stats().Services["crm"].Oldest.IsZero() })
	s, err := q.store.Engine().JS.Stream(testContext(t), record.Events)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(testContext(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is none", func() bool { return q.Stats().Services["crm"].Oldest.IsZero() })
}
