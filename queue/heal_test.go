package queue

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// breakWrites makes every open block file of a stream read-only underneath
// JetStream, so that its next write fails as on a broken disk.
func breakWrites(t *testing.T, dir, stream string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for _, link := range links {
		path, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(path, dir) || !strings.HasSuffix(path, ".blk") || !strings.Contains(path, "/"+stream+"/msgs/") {
			continue
		}
		fd := 0
		for _, digit := range filepath.Base(link) {
			fd = fd*10 + int(digit-'0')
		}
		reopen(t, fd, path, unix.O_RDONLY)
		broken++
	}
	if broken == 0 {
		t.Fatal("no block file is open")
	}
}

func TestFailedWriteIsReportedAndHealed(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 20)...)
	l := q.Lane("crm")
	entries := next(t, l, 5)
	if err := entries[0].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	breakWrites(t, dir, record.Events)
	began := time.Now()
	if err := q.Write(testContext(t), records("crm", 20, 21)); !errors.Is(err, record.ErrUnavailable) {
		t.Fatalf("write: got %v, want ErrUnavailable", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the failure was told after %v", took)
	}
	entries[1].Finish()
	eventually(t, "the queue takes records again", func() bool { return q.Health() == nil })
	entries[2].Finish()
	write(t, q, records("crm", 20, 21)...)
	seen := map[string]bool{}
	for _, e := range next(t, l, 16) {
		seen[e.ID] = true
	}
	if len(seen) != 16 || !seen["crm-5"] || !seen["crm-20"] {
		t.Errorf("got %v", seen)
	}
	none(t, l)
	l.Wake(WakeAll)
	if e := next(t, l, 1)[0]; e.ID != "crm-0" || e.Attempts != 1 {
		t.Errorf("got %s with %d attempts, want the parked one", e.ID, e.Attempts)
	}
}

// slowWriter stores, and returns only when release is closed.
type slowWriter struct {
	journal.Writer
	stored, release chan struct{}
}

func (w slowWriter) Write(drafts []journal.Draft) error {
	err := w.Writer.Write(drafts)
	close(w.stored)
	<-w.release
	return err
}

func TestRestartWaitsForACommitThatIsUnderWay(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, sample("crm", 0))
	l := q.Lane("crm")
	e := next(t, l, 1)[0]
	slow := slowWriter{q.store.Retry.Out, make(chan struct{}), make(chan struct{})}
	q.store.Retry.Out = slow
	parked := make(chan error)
	go func() { parked <- e.Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}) }()
	<-slow.stored
	q.store.Fail(errors.New("the disk is slow"))
	eventually(t, "the server is stopped", func() bool { return q.store.Engine() == nil })
	for deadline := time.Now().Add(time.Second); q.Health() != nil && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	close(slow.release)
	if err := <-parked; err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue takes records again", func() bool { return q.Health() == nil })
	q.retries.wake <- struct{}{}
	eventually(t, "what is gone is deleted", func() bool {
		q.retries.mu.Lock()
		defer q.retries.mu.Unlock()
		return len(q.retries.gone) == 0
	})
	eventually(t, "the parked one is known", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.retrying.lot.Len() == 1
	})
	l.Wake(WakeAll)
	if again := next(t, l, 1)[0]; again.ID != e.ID || again.Attempts != 1 {
		t.Errorf("got %s after %d attempts", again.ID, again.Attempts)
	}
}

func TestCommitterThatEndedTakesNothingAfterARestart(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	out := q.store.Retry.Out
	shut(t, q)
	q.store.Retry.Attach(out) // as a heal does that Close overtook
	if err := q.store.Retry.Store(&journal.Group{Recs: []record.Record{sample("crm", 1)}}); !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestCloseDoesNotHangWhileAnOrderedLaneSpillsToABrokenDisk(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q, l := ordered(t, dir)
	write(t, q, ofCall("b", 0))
	if err := next(t, l, 1)[0].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil { // so that RETRY has a block
		t.Fatal(err)
	}
	for from := 0; from < 2*maxFollowers; from += 500 {
		var recs []record.Record
		for n := range 500 {
			recs = append(recs, ofCall("a", from+n))
		}
		write(t, q, recs...)
	}
	breakWrites(t, dir, record.Retry)
	next(t, l, 1)
	go l.Next(t.Context(), 1) //nolint:errcheck // it takes up the followers until the queue closes
	eventually(t, "the queue heals", func() bool { return q.Health() != nil })
	closed := make(chan error)
	go func() { closed <- q.Close(t.Context()) }()
	select {
	case err := <-closed: // there is one when the server was down just then
		t.Log(err)
	case <-testContext(t).Done():
		t.Error("Close hangs")
	}
	q.closeErr = nil // told already
}

func TestAFrozenStreamIsNoticedThoughNobodyWrites(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 3)...)
	frozen := q.store.Engine()
	breakWrites(t, dir, record.Events)
	_ = q.store.Remove(testContext(t), func(ctx context.Context, eng *engine.Engine) error { // the deletion cannot be written
		return eng.DeleteEach(ctx, record.Events, []uint64{2})
	})
	eventually(t, "the queue takes records again", func() bool {
		eng := q.store.Engine()
		return eng != nil && eng != frozen && q.Health() == nil
	})
	write(t, q, sample("crm", 3))
}

func TestADiskThatCannotBeWrittenIsNoticedThoughNobodyWrites(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	var mend []func()
	for _, slot := range q.saving.file.Slots {
		fd, name := int(slot.Fd()), slot.Name()
		mend = append(mend, func() { reopen(t, fd, name, unix.O_RDWR) })
		reopen(t, fd, name, unix.O_RDONLY)
	}
	eventually(t, "the queue is not well", func() bool { return q.Health() != nil })
	for _, m := range mend {
		m()
	}
	eventually(t, "the queue takes records again", func() bool { return q.Health() == nil })
	write(t, q, sample("crm", 1))
}

// reopen opens a file anew in the place of fd.
func reopen(t *testing.T, fd int, name string, flags int) {
	t.Helper()
	opened, err := unix.Open(name, flags, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Dup3(opened, fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(opened)
}
