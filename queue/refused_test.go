package queue

import (
	"errors"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// refusing is a stream that takes nothing.
type refusing struct{}

func (refusing) Write(drafts []journal.Draft) error {
	for i := range drafts {
		drafts[i].Group.Err = record.ErrFull
	}
	return nil
}

// refuses has a stream take nothing until the returned function is called.
func refuses(c *journal.Committer) (again func()) {
	c.CommitMu.Lock()
	defer c.CommitMu.Unlock()
	out := c.Out
	c.Out = refusing{}
	return func() {
		c.CommitMu.Lock()
		c.Out = out
		c.CommitMu.Unlock()
	}
}

func TestWhatCannotBeStoredElsewhereStaysInFlight(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	for _, test := range []struct {
		name   string
		stream func(*Queue) *journal.Committer
		end    func(*Queue, *Entry) error
	}{
		{"parked", func(q *Queue) *journal.Committer { return q.store.Retry }, func(_ *Queue, e *Entry) error {
			return e.Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)})
		}},
		{"buried", func(q *Queue) *journal.Committer { return q.store.Dead }, func(_ *Queue, e *Entry) error {
			return e.Bury(record.Death{Reason: "rejected"})
		}},
		{"swept", func(q *Queue) *journal.Committer { return q.store.Dead }, func(q *Queue, e *Entry) error {
			e.Return()
			_, err := q.Sweep(t.Context(), "crm", time.Now(), record.Death{Reason: "expired"})
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			q := open(t, engine.Options{Dir: t.TempDir()})
			l := q.Lane("crm")
			write(t, q, sample("crm", 0))
			e := next(t, l, 1)[0]
			again := refuses(test.stream(q))
			if err := test.end(q, e); !errors.Is(err, record.ErrFull) {
				t.Errorf("got %v, want that it is refused", err)
			}
			e.Return()
			again()
			if e := next(t, l, 1)[0]; e.ID != "crm-0" {
				t.Errorf("got %s", e.ID)
			}
		})
	}
}

func TestALetterThatIsNotPutBackIsKept(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	write(t, q, sample("crm", 0))
	if err := next(t, l, 1)[0].Bury(record.Death{Reason: "rejected"}); err != nil {
		t.Fatal(err)
	}
	again := refuses(q.store.Events)
	if n, err := q.Replay(testContext(t), record.Filter{}, nil); n != 0 || !errors.Is(err, record.ErrFull) {
		t.Errorf("put back %d, %v; want none", n, err)
	}
	again()
	if n, err := q.Replay(testContext(t), record.Filter{}, nil); n != 1 || err != nil {
		t.Errorf("put back %d, %v; want the one that was refused", n, err)
	}
	next(t, l, 1)[0].Finish()
}

func TestWhatWasRefusedIsNotKnown(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	again := refuses(q.store.Events)
	if err := q.Write(testContext(t), records("crm", 0, 3)); !errors.Is(err, record.ErrFull) {
		t.Errorf("got %v, want that it is refused", err)
	}
	again()
	write(t, q, records("crm", 0, 3)...)
	next(t, l, 3)
}

// After a power cut the floors may know more than the stream has, which gives the
// sequences again.
func TestASequenceGivenAgainIsNotTakenForFinished(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	write(t, q, sample("crm", 0))
	next(t, l, 1)[0].Finish()
	l.mu.Lock()
	l.win.Restore(l.win.High+5, nil)
	l.mu.Unlock()
	if err := l.pull.attach(testContext(t), q.store.Engine()); err != nil {
		t.Fatal(err)
	}
	write(t, q, sample("crm", 1))
	if e := next(t, l, 1)[0]; e.ID != "crm-1" {
		t.Errorf("got %s", e.ID)
	}
}

func TestTheFloorsKeepWhichRetriesAreFinished(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	write(t, q, sample("crm", 0))
	if err := next(t, l, 1)[0].Park(Parking{Attempts: 1, Due: time.Now()}); err != nil {
		t.Fatal(err)
	}
	e := next(t, l, 1)[0]
	q.store.Moving.Lock() // nothing is deleted meanwhile
	e.Finish()
	gone := q.saving.current().Gone
	q.store.Moving.Unlock()
	if len(gone) != 1 || gone[0] != e.item.seq {
		t.Errorf("got %v, want the one that is finished", gone)
	}
}

func TestAPurgeOfFinishedRetriesLeavesWhatIsNeeded(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	const all, finished = 100, 80 // more than are deleted one by one
	write(t, q, records("crm", 0, all)...)
	for i, e := range next(t, l, all) {
		due := time.Now()
		if i >= finished {
			due = due.Add(time.Hour)
		}
		if err := e.Park(Parking{Attempts: 1, Due: due}); err != nil {
			t.Fatal(err)
		}
	}
	done := next(t, l, finished)
	q.store.Moving.Lock() // all together, or they go one by one
	for _, e := range done {
		e.Finish()
	}
	q.store.Moving.Unlock()
	if err := q.retries.deleteGone(testContext(t)); err != nil {
		t.Fatal(err)
	}
	l.Wake(WakeAll)
	next(t, l, all-finished)
}

func TestTheEmbeddedServerSyncsBeforeItAcknowledges(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	eng := q.store.Engine()
	config := eng.Server.JetStreamConfig()
	if !config.SyncAlways || config.SyncInterval > 5*time.Minute {
		t.Errorf("sync always %v, every %v: what is acknowledged is lost, or the folder grows", config.SyncAlways, config.SyncInterval)
	}
	for _, name := range []string{record.Events, record.Retry, record.Dead} {
		s, err := eng.Stream(testContext(t), name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := s.CachedInfo().Config.PersistMode; mode != 0 {
			t.Errorf("%s is stored in mode %v", name, mode)
		}
	}
}
