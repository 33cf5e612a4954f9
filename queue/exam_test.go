package queue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrelay/queue/doctor"
	"callrelay/queue/engine"
	"callrelay/queue/lane"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// overwrite changes a byte of a file at a part of its length.
func overwrite(t *testing.T, path string, part float64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[int(float64(len(data)-1)*part)] ^= 0xff
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnExaminationFindsWhatIsWrong(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	sound := examined(t)
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		level  doctor.Level
		what   string
		want   string
	}{
		{"healthy", func(*testing.T, string) {}, doctor.Well, "service crm", "1 owed, 1 parked, 1 dead letter"},
		{"healthy, and a stream is told of", func(*testing.T, string) {}, doctor.Well, "EVENTS", "5 records of 1.3 KiB, 1 to 5"},
		{"a service is not configured any more", func(*testing.T, string) {}, doctor.Doubtful, "service old", "1 owed, 0 parked, 0 dead letters, and it is not configured"},
		{"others may read it", func(t *testing.T, dir string) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}, doctor.Doubtful, "folder", "has mode 755"},
		{"another folder", func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "format")); err != nil {
				t.Fatal(err)
			}
		}, doctor.Doubtful, "format", "holds no queue"},
		{"a newer relay wrote it", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "format"), []byte("9\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, doctor.Faulty, "format", "9 is newer than this relay knows (1)"},
		{"one slot of the floors is torn", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "floors.1"), []byte("relayfl1 and then nothing"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "floors.0"), lane.EncodeFloors(nil, 99, lane.Floors{}), 0o600); err != nil {
				t.Fatal(err)
			}
		}, doctor.Doubtful, "floors", "floors.1 is torn"},
		{"no slot is whole", func(t *testing.T, dir string) {
			for _, name := range []string{"floors.0", "floors.1"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("zero"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, doctor.Faulty, "floors", "none is whole"},
		{"the end of a stream is gone", func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "jetstream", "$G", "streams", record.Events, "msgs")); err != nil {
				t.Fatal(err)
			}
		}, doctor.Faulty, "floor crm", "the end of the stream is lost"},
		{"a block is damaged", func(t *testing.T, dir string) {
			msgs := filepath.Join(dir, "jetstream", "$G", "streams", record.Events, "msgs")
			overwrite(t, filepath.Join(msgs, "1.blk"), 0.5)
		}, doctor.Faulty, record.Events, " of 5 records can be read"},
		{"the configuration of a stream is damaged", func(t *testing.T, dir string) {
			overwrite(t, filepath.Join(dir, "jetstream", "$G", "streams", record.Dead, "meta.sum"), 0.5)
		}, doctor.Faulty, record.Dead, "JetStream did not take it up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			test.damage(t, dir)
			list, err := doctor.Examine(testContext(t), engine.Options{Dir: dir}, []string{"crm"})
			if err != nil {
				t.Fatal(err)
			}
			var all strings.Builder
			found := false
			for _, f := range list {
				all.WriteString(string(f.Level) + " " + f.What + ": " + f.Text + "\n")
				found = found || f.Level == test.level && f.What == test.what && strings.Contains(f.Text, test.want)
				if f.Level == doctor.Faulty && test.level != doctor.Faulty && f.What != "disk" {
					t.Errorf("a fault: %s: %s", f.What, f.Text)
				}
			}
			if !found {
				t.Errorf("want %s %s: %s, got\n%s", test.level, test.what, test.want, all.String())
			}
		})
	}
}

// examined makes a queue to look at: of crm one delivery done, one parked, one
// dead and one owed, and one owed to a service of old.
func examined(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	q := open(t, engine.Options{Dir: dir})
	write(t, q, records("crm", 0, 4)...)
	entries := next(t, q.Lane("crm"), 3)
	entries[0].Finish()
	if err := entries[1].Park(Parking{Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if err := entries[2].Bury(record.Death{Reason: "rejected"}); err != nil {
		t.Fatal(err)
	}
	write(t, q, sample("old", 1))
	shut(t, q)
	return dir
}

func TestAnExaminationChangesNothing(t *testing.T) {
	t.Parallel()
	dir := examined(t)
	if _, err := doctor.Examine(testContext(t), engine.Options{Dir: dir}, nil); err != nil {
		t.Fatal(err)
	}
	q := open(t, engine.Options{Dir: dir})
	if got := waiting(t, q, "crm", 2); got[0] != "crm-1" || got[1] != "crm-3" {
		t.Errorf("owed %v, want the parked and the waiting one", got)
	}
	if _, err := doctor.Examine(testContext(t), engine.Options{Dir: dir}, nil); err == nil || !strings.Contains(err.Error(), "in use by another relay") {
		t.Errorf("a folder in use: %v", err)
	}
	for _, f := range q.Examine(testContext(t), []string{"crm", "old"}) {
		if f.Level == doctor.Faulty && f.What != "disk" {
			t.Errorf("a fault of a running queue: %s: %s", f.What, f.Text)
		}
	}
	missing := filepath.Join(dir, "none")
	list, err := doctor.Examine(testContext(t), engine.Options{Dir: missing}, nil)
	if err != nil || len(list) != 1 || !strings.Contains(list[0].Text, "is missing") {
		t.Errorf("got %v and %v", list, err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("looking made the folder")
	}
}
