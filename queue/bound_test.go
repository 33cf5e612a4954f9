package queue

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// heavy is a record that counts.
func heavy(service string, n int) record.Record {
	r := sample(service, n)
	r.Body = make([]byte, 128<<10)
	return r
}

// TestTheFolderStaysWithinItsBoundWhateverIsStuck delivers three times what the
// queue may hold around one record of a dead endpoint, and around one of another
// in each part of it, with six restarts. Nothing is refused. Between two looks of
// JetStream for what to compact the folder may hold more.
func TestTheFolderStaysWithinItsBoundWhateverIsStuck(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	const most, restarts, parts, each = 8 << 20, 6, 4, 8
	o := engine.Options{Dir: t.TempDir(), MaxBytes: most}
	q := open(t, o)
	write(t, q, sample("first", 0))
	n, written := 0, 0
	for range restarts {
		for range parts {
			write(t, q, sample("dead", n))
			for range each {
				n++
				r := heavy("busy", n)
				written += len(r.Body)
				write(t, q, r)
				next(t, q.Lane("busy"), 1)[0].Finish()
			}
		}
		if err := q.base.trim(testContext(t), q.store.Engine(), 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the folder is within its bound", func() bool { return treeSize(o.Dir) <= 2*most })
		shut(t, q)
		q = open(t, o)
	}
	if written < 3*most {
		t.Fatalf("%d bytes were written, want %d", written, 3*most)
	}
	eventually(t, "what is delivered is gone from disk", func() bool { return treeSize(o.Dir) <= most })
	if got := ids(next(t, q.Lane("first"), 1)); got[0] != "first-0" {
		t.Errorf("got %v", got)
	}
	if got := q.Stats().Services["dead"].Waiting; got != restarts*parts {
		t.Errorf("%d wait, want %d", got, restarts*parts)
	}
}

func TestHistoryIsGivenUpBeforeAnythingIsRefused(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir(), MaxBytes: 4 << 20})
	l := q.Lane("crm")
	for n := range 100 {
		write(t, q, heavy("crm", n)) // far more than the limit, in less than a second
		next(t, l, 1)[0].Finish()
	}
}

// TestAFullDiskTakesHistoryAndThenRefuses has others fill the disk.
func TestAFullDiskTakesHistoryAndThenRefuses(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	for n := range 20 {
		write(t, q, heavy("crm", n))
		next(t, l, 1)[0].Finish()
	}
	disk := func(free func() int64) {
		q.store.Space.Pretend(q.store.Options.MaxBytes, func() (int64, int64, error) { return free() + 1<<20, 1 << 20, nil })
	}
	disk(func() int64 { // others have all but what the history takes
		if stored(t, q) > 0 {
			return 0
		}
		return 2 << 20
	})
	write(t, q, heavy("crm", 100))
	disk(func() int64 { return 0 })
	if err := q.Write(testContext(t), []record.Record{heavy("crm", 101)}); !errors.Is(err, record.ErrFull) {
		t.Fatalf("got %v, want ErrFull: it owes what it holds", err)
	}
	disk(func() int64 { return 8 << 20 })
	write(t, q, heavy("crm", 102))
	if got := ids(next(t, l, 2)); got[0] != "crm-100" || got[1] != "crm-102" {
		t.Errorf("got %v", got)
	}
	if err := q.Health(); err != nil {
		t.Error(err)
	}
}

// TestAPurgeForWhichThereIsNoRoomIsNoticed has JetStream fail to note what it gave
// up: it takes nothing more until it is started anew, and does not say so.
func TestAPurgeForWhichThereIsNoRoomIsNoticed(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	f := newFaulty(1)
	q := open(t, engine.Options{Dir: t.TempDir(), Seams: engine.Seams{JetStream: func() engine.JetStream {
		f.Start()
		return f
	}}})
	write(t, q, sample("crm", 1))
	next(t, q.Lane("crm"), 1)[0].Finish()
	f.Full.Store(true)
	if err := q.base.trim(testContext(t), q.store.Engine(), 0); !errors.Is(err, record.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	eventually(t, "the server was started anew", func() bool { return !f.Full.Load() && q.Health() == nil })
	write(t, q, sample("crm", 2))
}

// TestTheBallastIsDroppedForHistory has others take the last byte.
func TestTheBallastIsDroppedForHistory(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	disk := func(free int64) {
		q.store.Space.Pretend(q.store.Options.MaxBytes, func() (int64, int64, error) { return free, 1 << 20, nil })
	}
	ballast := func() int64 {
		file, err := os.Stat(q.store.Folder.Path("ballast"))
		if err != nil {
			return 0
		}
		return file.Sys().(*syscall.Stat_t).Blocks * 512
	}
	disk(1 << 30)
	eventually(t, "there is ballast", func() bool { return ballast() > 0 })
	write(t, q, sample("crm", 1))
	disk(0)
	q.base.trim(testContext(t), q.store.Engine(), 0) //nolint:errcheck // all of it is owed
	if ballast() == 0 {
		t.Fatal("the ballast is gone, though there is nothing to give up")
	}
	next(t, q.Lane("crm"), 1)[0].Finish()
	eventually(t, "it is dropped", func() bool { return ballast() == 0 && stored(t, q) == 0 })
	disk(1 << 30)
	eventually(t, "there is ballast again", func() bool { return ballast() > 0 })
}

// TestAStuckEventAndRestartsRefuseNothing trims around a record at the head of
// the stream.
func TestAStuckEventAndRestartsRefuseNothing(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	o := engine.Options{Dir: t.TempDir()}
	q := open(t, o)
	write(t, q, sample("dead", 0))
	for round := range 3 {
		for n := range 100 {
			write(t, q, heavy("busy", 1000*round+n))
		}
		for _, e := range next(t, q.Lane("busy"), 100) {
			e.Finish()
		}
		if err := q.base.trim(testContext(t), q.store.Engine(), 0); err != nil {
			t.Fatal(err)
		}
		shut(t, q)
		q = open(t, o)
		for n := range 4 {
			if err := q.Write(testContext(t), []record.Record{sample("other", 10*round+n)}); err != nil {
				t.Errorf("round %d, write %d: %v", round, n, err)
			}
		}
	}
	if got := ids(next(t, q.Lane("dead"), 1)); got[0] != "dead-0" {
		t.Errorf("got %v", got)
	}
	if n, err := q.Sweep(context.Background(), "other", time.Now(), record.Death{Reason: "removed"}); n != 12 || err != nil {
		t.Errorf("%d of the others were there: %v", n, err)
	}
}
