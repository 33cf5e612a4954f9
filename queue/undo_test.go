package queue

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"callrelay/queue/queuetest"
)

// TestAPowerCutWhileDeletingLosesNothing plays what a filesystem may leave when
// the power fails after JetStream has put a new block in the place of an old
// one, and before that is synced: an empty file.
func TestAPowerCutWhileDeletingLosesNothing(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	o := Options{Dir: t.TempDir()}
	q := open(t, o)
	write(t, q, records("crm", 0, 100)...)
	for _, e := range next(t, q.Lane("crm"), 40) {
		e.Finish()
	}
	old := q.folder.undo(events)
	if err := old.keep(); err != nil {
		t.Fatal(err)
	}
	shut(t, q)
	blocks, err := filepath.Glob(filepath.Join(old.blocks, "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("got blocks %q: %v", blocks, err)
	}
	for _, path := range blocks {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	q = open(t, o)
	next(t, q.Lane("crm"), 60)
	none(t, q.Lane("crm"))
	if _, err := os.Stat(old.kept); !os.IsNotExist(err) {
		t.Errorf("the kept blocks are still there: %v", err)
	}
}

func TestDeletingLeavesNothingKept(t *testing.T) {
	t.Parallel()
	q := open(t, Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 20)...)
	for _, e := range next(t, q.Lane("crm"), 20) {
		if err := e.Bury(Death{Reason: "rejected"}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := q.DropLetters(testContext(t), Filter{Until: time.Now()}); n != 20 || err != nil {
		t.Fatalf("dropped %d: %v", n, err)
	}
	if _, err := os.Stat(q.folder.undo(dead).kept); !os.IsNotExist(err) {
		t.Errorf("blocks are still kept: %v", err)
	}
}

func TestBlocksThatCannotBeKeptLeaveNothingBehind(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, Options{Dir: t.TempDir()})
	write(t, q, record("crm", 0))
	old := q.folder.undo(events)
	if err := os.MkdirAll(filepath.Join(old.kept, "1.blk"), 0o700); err != nil { // in the way
		t.Fatal(err)
	}
	if err := old.keep(); err == nil {
		t.Fatal("got no error for a name that is taken")
	}
	if err := old.keep(); err != nil {
		t.Errorf("the next time: %v", err)
	}
	if err := old.forget(); err != nil {
		t.Error(err)
	}
}
