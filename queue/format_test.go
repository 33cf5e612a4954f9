package queue

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// century keeps the records of an old queue from expiring.
const century = 100 * 365 * 24 * time.Hour

var oldOptions = engine.Options{DeadKeep: century, AttemptsKeep: century}

// writeOld fills a queue with one delivery of each fate: crm-0 is delivered,
// crm-1 parked, crm-2 dead, crm-3 was in flight, crm-4 and crm-5 wait.
func writeOld(t *testing.T, dir string) {
	o := oldOptions
	o.Dir = dir
	q := open(t, o)
	write(t, q, records("crm", 0, 6)...)
	entries := next(t, q.Lane("crm"), 4)
	entries[0].Finish()
	if err := entries[1].Park(Parking{Attempts: 3, Due: time.Now().Add(century)}); err != nil {
		t.Fatal(err)
	}
	if err := entries[2].Bury(record.Death{Reason: "rejected", Attempts: 1, Status: 422, Error: "no such agent"}); err != nil {
		t.Fatal(err)
	}
	if err := q.Save("paused", []byte("crm")); err != nil {
		t.Fatal(err)
	}
	shut(t, q)
}

// TestQueuesOfEveryFormatOpen opens what each version of the folder's format
// left behind. UPDATE_GOLDEN=1 makes the archive of a new format; it is never
// made again.
func TestQueuesOfEveryFormatOpen(t *testing.T) {
	queuetest.NeedsFolder(t)
	for version := 1; version <= engine.FormatVersion; version++ {
		t.Run(fmt.Sprint("format ", version), func(t *testing.T) {
			archive := filepath.Join("testdata", fmt.Sprintf("v%d.tar.gz", version))
			if _, err := os.Stat(archive); errors.Is(err, fs.ErrNotExist) && os.Getenv("UPDATE_GOLDEN") == "1" {
				dir := t.TempDir()
				writeOld(t, dir)
				pack(t, dir, archive)
			}
			o := oldOptions
			o.Dir = t.TempDir()
			unpack(t, archive, o.Dir)
			q := open(t, o)
			if got, want := waiting(t, q, "crm", 4), []string{"crm-1", "crm-3", "crm-4", "crm-5"}; !slices.Equal(got, want) {
				t.Errorf("owed %v, want %v", got, want)
			}
			var letters []record.Letter
			err := q.Letters(t.Context(), record.Filter{}, func(l record.Letter) bool { letters = append(letters, l); return true })
			if err != nil || len(letters) != 1 || letters[0].ID != "crm-2" || letters[0].Error != "no such agent" || letters[0].Status != 422 {
				t.Errorf("dead letters %+v, %v", letters, err)
			}
			if data, err := q.Load("paused"); string(data) != "crm" || err != nil {
				t.Errorf("state %q, %v", data, err)
			}
		})
	}
}

func pack(t *testing.T, dir, archive string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	zip := gzip.NewWriter(file)
	tw := tar.NewWriter(zip)
	if err := errors.Join(tw.AddFS(os.DirFS(dir)), tw.Close(), zip.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(zip)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			continue
		}
		data, err := io.ReadAll(tr)
		if err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
