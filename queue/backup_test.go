package queue

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// backUp writes a backup to a new folder.
func backUp(t testing.TB, q *Queue) string {
	t.Helper()
	dir := t.TempDir()
	var last *os.File
	_, err := q.Backup(testContext(t), func(path string) (io.Writer, error) {
		if last != nil {
			_ = last.Close()
		}
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		file, err := os.Create(path)
		last = file
		return file, err
	})
	if last != nil {
		_ = last.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// waiting takes all that a lane has, and returns the ids in order.
func waiting(t testing.TB, q *Queue, service string, n int) []string {
	t.Helper()
	l := q.Lane(service)
	l.Wake(WakeAll)
	got := ids(next(t, l, n))
	none(t, l)
	slices.Sort(got)
	return got
}

func TestARestoredBackupOwesWhatWasOwed(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 6)...)
	for i, e := range next(t, q.Lane("crm"), 4) {
		switch i {
		case 0:
			e.Finish()
		case 1:
			if err := e.Park(Parking{Attempts: 3, Due: time.Now().Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		case 2:
			if err := e.Bury(record.Death{Reason: "rejected", Status: 422}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := q.Save("paused", []byte("crm")); err != nil {
		t.Fatal(err)
	}
	from := backUp(t, q)
	write(t, q, sample("crm", 99)) // after the backup

	dir := filepath.Join(t.TempDir(), "queue")
	m, err := Restore(testContext(t), engine.Options{Dir: dir}, os.DirFS(from))
	if err != nil || m.Streams[record.Events].Messages != 6 || m.Streams[record.Dead].Messages != 1 {
		t.Fatalf("got %+v and %v", m.Streams, err)
	}
	r := open(t, engine.Options{Dir: dir})
	if got, want := waiting(t, r, "crm", 4), []string{"crm-1", "crm-3", "crm-4", "crm-5"}; !slices.Equal(got, want) {
		t.Errorf("owed %v, want %v", got, want)
	}
	if n, err := r.Replay(t.Context(), record.Filter{}, nil); n != 1 || err != nil {
		t.Errorf("replayed %d: %v", n, err)
	}
	if data, err := r.Load("paused"); string(data) != "crm" || err != nil {
		t.Errorf("state %q, %v", data, err)
	}
	write(t, r, sample("crm", 7))
	if got := waiting(t, r, "crm", 2); !slices.Equal(got, []string{"crm-2", "crm-7"}) {
		t.Errorf("got %v, want the replayed and a new one", got)
	}
}

func TestABackupWhileDeliveriesMoveMissesNone(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	const n = 600
	write(t, q, records("crm", 0, n)...)
	ctx := testContext(t)
	finished := make(chan string, n)
	for range 4 {
		go func() { // every delivery is parked, every tenth buried and replayed, before it is finished
			for {
				list, err := q.Lane("crm").Next(ctx, 4)
				if err != nil {
					return
				}
				for _, e := range list {
					switch {
					case e.Attempts == 0 && !e.Replayed:
						_ = e.Park(Parking{Attempts: 1, Due: time.Now().Add(10 * time.Millisecond)})
					case strings.HasSuffix(e.ID, "0") && !e.Replayed:
						_ = e.Bury(record.Death{Reason: "rejected"})
					default:
						finished <- e.ID
						e.Finish()
					}
				}
			}
		}()
	}
	go func() {
		for ctx.Err() == nil {
			_, _ = q.Replay(ctx, record.Filter{}, nil)
		}
	}()
	eventually(t, "deliveries move", func() bool { return len(finished) > 20 })
	from := backUp(t, q)
	before := map[string]bool{}
	for len(finished) > 0 {
		before[<-finished] = true
	}

	dir := filepath.Join(t.TempDir(), "queue")
	if _, err := Restore(ctx, engine.Options{Dir: dir}, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	r := open(t, engine.Options{Dir: dir})
	drained := map[string]bool{}
	if _, err := r.Replay(ctx, record.Filter{}, nil); err != nil {
		t.Fatal(err)
	}
	r.Lane("crm").Wake(WakeAll)
	eventually(t, "all that was not finished is there", func() bool {
		s := r.Stats().Services["crm"]
		if s.Waiting+s.Parked > 0 {
			list, err := r.Lane("crm").Next(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				drained[e.ID] = true
				e.Finish()
			}
			return false
		}
		return true
	})
	for i := range n {
		id := fmt.Sprintf("crm-%d", i)
		if !before[id] && !drained[id] {
			t.Errorf("%s was not finished when the backup was, and is not owed after the restore", id)
		}
	}
}

func TestOnlyAWholeBackupIsRestored(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 3)...)
	for _, test := range []struct {
		name   string
		damage func(dir string) error
		want   string
	}{
		{"a missing manifest", func(dir string) error { return os.Remove(filepath.Join(dir, ManifestFile)) }, "no whole backup"},
		{"a missing stream", func(dir string) error { return os.Remove(filepath.Join(dir, record.Events, "stream.tar.s2")) }, "no such file"},
		{"a changed stream", func(dir string) error {
			path := filepath.Join(dir, record.Events, "stream.tar.s2")
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o600)
		}, "not as it was written"},
		{"a newer format", func(dir string) error {
			path := filepath.Join(dir, ManifestFile)
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, bytes.Replace(data, []byte(`"format": 1`), []byte(`"format": 2`), 1), 0o600)
		}, "newer than this relay knows"},
	} {
		t.Run(test.name, func(t *testing.T) {
			from := backUp(t, q)
			if err := test.damage(from); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "queue")
			if _, err := Restore(testContext(t), engine.Options{Dir: dir}, os.DirFS(from)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the queue's folder was touched")
			}
		})
	}
}

func TestARestoreTouchesNoQueueAndAnUnfinishedOneIsNotOpened(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	from := backUp(t, q)
	if _, err := Restore(testContext(t), engine.Options{Dir: dir}, os.DirFS(from)); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("got %v", err)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, engine.Restoring), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testContext(t), engine.Options{Dir: empty}); err == nil || !strings.Contains(err.Error(), "restore into it was not finished") {
		t.Errorf("got %v", err)
	}
}
