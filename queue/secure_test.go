package queue

import (
	"os"
	"path/filepath"
	"testing"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// TestCloseWhileNothingCanBeWrittenIsNotClean: what was refused then may be in
// memory alone, and the next start takes it for stored.
func TestCloseWhileNothingCanBeWrittenIsNotClean(t *testing.T) {
	t.Parallel()
	for _, down := range []error{nil, record.ErrUnavailable} {
		dir := t.TempDir()
		q := open(t, engine.Options{Dir: dir})
		if down != nil {
			q.store.Backend = unwritable{q.base}
			q.store.Fail(down)
		}
		if err := q.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
		f, err := engine.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if f.Unclean != (down != nil) {
			t.Errorf("closed while it is down by %v: unclean %v", down, f.Unclean)
		}
		f.Close()
	}
}

// unwritable is a base whose folder cannot be written.
type unwritable struct{ base }

func (unwritable) Probe() error { return record.ErrUnavailable }

// TestWhatAKilledProcessWroteIsMadeDurable: it may have been killed between the
// write and the sync of a record, which the next start takes for stored.
func TestWhatAKilledProcessWroteIsMadeDurable(t *testing.T) {
	t.Parallel()
	f := newFaulty(1)
	o := engine.Options{Dir: t.TempDir(), Seams: engine.Seams{JetStream: func() engine.JetStream {
		f.Start()
		return f
	}}}
	q, err := Open(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	write(t, q, records("crm", 0, 2)...)
	killed := filepath.Join(t.TempDir(), "killed")
	if err := os.CopyFS(killed, os.DirFS(o.Dir)); err != nil {
		t.Fatal(err)
	}
	shut(t, q)
	f.mu.Lock()
	f.streams[record.Events].durable = 1
	f.mu.Unlock()
	o.Dir = killed
	q, err = Open(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(t, q)
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.streams[record.Events]; s.durable < 2 {
		t.Errorf("a power cut may still take the record %d of %d", s.durable+1, s.last)
	}
}

// TestMarkLeftBehindIsNobodys stands for a start that was killed between the
// marking of a stream and the removal of the mark.
func TestMarkLeftBehindIsNobodys(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 1)...)
	for _, stream := range []string{record.Events, record.Retry} {
		r := record.Record{Service: journal.MarkService, Event: "mark"}
		at := record.Subject(stream, &r, record.Note{record.HeadReason, "mark"})
		if _, err := q.store.Engine().JS.Publish(testContext(t), at, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	q = open(t, engine.Options{Dir: dir})
	<-q.loading.done
	for service, s := range q.Stats().Services {
		if service != "crm" || s.Waiting != 1 || s.Parked != 0 {
			t.Errorf("%s: %+v", service, s)
		}
	}
}
