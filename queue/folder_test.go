package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
)

func TestSecondOpenIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, engine.Options{Dir: dir})
	_, err := Open(testContext(t), engine.Options{Dir: dir})
	want := fmt.Sprintf("queue %s is in use by another relay (pid %d)", dir, os.Getpid())
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "format"), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(testContext(t), engine.Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "format 2 is newer than this relay knows (1)") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "format"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, engine.Options{Dir: dir}) // the refused one has given its lock back
}

func TestFolderIsPrivate(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "queue")
	open(t, engine.Options{Dir: dir, Listen: "127.0.0.1:0"})
	for path, want := range map[string]os.FileMode{
		"": 0o700, "nats": 0o700, "nats/inspect.json": 0o600, "nats/admin.json": 0o600, "format": 0o600, "lock": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %q: got %o, want %o", path, got, want)
		}
	}
}

func TestBusyListenerIsAnError(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	first := open(t, engine.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	_, err := Open(testContext(t), engine.Options{Dir: t.TempDir(), Listen: first.store.Engine().Address()})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
}

func TestStateIsSaved(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	if _, err := q.Load("paused"); err == nil {
		t.Error("loaded what was never saved")
	}
	for _, want := range []string{"a", "bb"} {
		if err := q.Save("paused", []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := q.Load("paused"); string(got) != want || err != nil {
			t.Errorf("got %q and %v, want %q", got, err, want)
		}
	}
	if err := q.Save("../paused", nil); err == nil {
		t.Error("saved outside the folder")
	}
}
