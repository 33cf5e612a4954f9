package queue

import (
	"errors"
	"testing"
	"time"

	"callrelay/queue/queuetest"
)

func TestSyncFindsWhatJetStreamWrote(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	dir := t.TempDir()
	q := open(t, Options{Dir: dir})
	write(t, q, record("crm", 1))
	d := newDisk(q.folder, events)
	if err := d.syncNew(); err != nil {
		t.Fatal(err)
	}
	if err := d.syncNew(); !errors.Is(err, errNotWritten) {
		t.Errorf("nothing was written: got %v, want errNotWritten", err)
	}
	big := record("crm", 2)
	big.Body = make([]byte, 200<<10)
	for n := 3; n < 60; n++ { // into the next block file
		big.ID = record("crm", n).ID
		write(t, q, big)
	}
	before := d.block
	if err := d.syncNew(); err != nil || d.block == before {
		t.Errorf("got %v in block %d, want the block after %d", err, d.block, before)
	}
}

// TestTheBlockFilesTellWhatJetStreamHas compares what is read from the files with
// what JetStream says, also after records were deleted and purged.
func TestTheBlockFilesTellWhatJetStreamHas(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 300)...)
	l := q.Lane("crm")
	for _, e := range next(t, l, 200) {
		if err := e.Park(Parking{Attempts: 2, Due: time.Now().Add(time.Hour), Held: e.Call == "call-3"}); err != nil {
			t.Fatal(err)
		}
	}
	l.Wake(WakeHeld)
	for _, e := range next(t, l, 120) {
		if e.Attempts > 0 {
			e.Finish() // a held one
		}
	}
	eventually(t, "they are deleted", func() bool { return parkedCount(t, q) == 180 })
	eng := q.engine.Load()
	if err := eng.purge(t.Context(), retry, "", 30); err != nil {
		t.Fatal(err)
	}
	fast := beginSurvey(q.folder, q.clock, time.Minute)
	slow := &survey{window: time.Minute, newest: fast.newest}
	compareIDs(t, eng, fast, slow)
	compareParked(t, q, fast, slow)
}

func parkedCount(t *testing.T, q *Queue) uint64 {
	t.Helper()
	s, err := q.engine.Load().stream(t.Context(), retry)
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func compareIDs(t *testing.T, eng *engine, fast, slow *survey) {
	t.Helper()
	got, err := fast.recentIDs(t.Context(), eng)
	if err != nil || got != fast.ids {
		t.Fatalf("the files were not believed: %v", err)
	}
	want, err := slow.recentIDs(t.Context(), eng)
	if err != nil || got.used != 300 || want.used != 300 {
		t.Fatalf("got %d ids, want %d: %v", got.used, want.used, err)
	}
	for n := range 300 {
		if r := record("crm", n); got.add(got.hash(r.key()), time.Now()) {
			t.Errorf("%s is not known", r.ID)
		}
	}
}

func compareParked(t *testing.T, q *Queue, fast, slow *survey) {
	t.Helper()
	eng := q.engine.Load()
	got, err := fast.allParked(t.Context(), eng, q.clock)
	if err != nil || len(fast.parked) != len(got) {
		t.Fatalf("the files were not believed: %v", err)
	}
	want, err := slow.allParked(t.Context(), eng, q.clock)
	if err != nil || len(got) != len(want) || len(got) == 0 {
		t.Fatalf("got %d, want %d: %v", len(got), len(want), err)
	}
	for i := range got {
		a, b := *got[i].item, *want[i].item
		if apart := a.due - b.due; apart.Abs() > time.Millisecond {
			t.Errorf("due %v apart", apart)
		}
		a.due, b.due = 0, 0
		if a != b || got[i].service != want[i].service {
			t.Errorf("got %+v, want %+v", a, b)
		}
	}
}

func FuzzScanBlock(f *testing.F) {
	f.Add([]byte("\x40\x00\x00\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00a.b.c\x14\x00\x00\x00Nats-Msg-Id: abc\r\n\r\nbody12345678"))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		scanBlock(data, func(r *blockRecord) {
			if id := idOf(r.headers); len(id)+len(r.subject)+len(r.body) > len(data) {
				t.Errorf("a record of %d bytes in %d", len(id)+len(r.subject)+len(r.body), len(data))
			}
		})
	})
}
