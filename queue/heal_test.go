package queue

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// breakWrites makes every open block file of EVENTS read-only underneath
// JetStream, so that its next write fails as on a broken disk.
func breakWrites(t *testing.T, dir string) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	broken := 0
	for _, link := range links {
		path, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(path, dir) || !strings.HasSuffix(path, ".blk") || !strings.Contains(path, "/EVENTS/msgs/") {
			continue
		}
		readOnly, err := unix.Open(path, unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fd := 0
		for _, digit := range filepath.Base(link) {
			fd = fd*10 + int(digit-'0')
		}
		if err := unix.Dup3(readOnly, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(readOnly)
		broken++
	}
	if broken == 0 {
		t.Fatal("no block file is open")
	}
}

func TestFailedWriteIsReportedAndHealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, Options{Dir: dir})
	write(t, q, records("crm", 0, 20)...)
	l := q.Lane("crm")
	entries := next(t, l, 5)
	if err := entries[0].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	breakWrites(t, dir)
	began := time.Now()
	if err := q.Write(testContext(t), records("crm", 20, 21)); !errors.Is(err, ErrUnavailable) {
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
