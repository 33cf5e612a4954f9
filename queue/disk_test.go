package queue

import (
	"errors"
	"testing"
	"time"
)

func TestSyncFindsWhatJetStreamWrote(t *testing.T) {
	needsEmbedded(t)
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

func TestIDsAreReadFromTheBlockFiles(t *testing.T) {
	needsEmbedded(t)
	t.Parallel()
	q := open(t, Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 300)...)
	eng := q.engine.Load()
	slow, err := eng.readIDs(testContext(t), time.Now().Add(-time.Minute), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	last, err := scanBlocks(q.folder.stream(events, "msgs"), time.Now().Add(-time.Minute), func(id []byte, at time.Time) {
		if _, known := slow.find(slow.hash(string(id))); !known || time.Since(at) > time.Minute {
			t.Errorf("%s of %v is not in the stream", id, at)
		}
		found++
	})
	if err != nil || last != 300 || found != 300 {
		t.Errorf("got %d ids up to %d: %v", found, last, err)
	}
}

func FuzzScanBlock(f *testing.F) {
	f.Add([]byte("\x40\x00\x00\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00a.b.c\x14\x00\x00\x00Nats-Msg-Id: abc\r\n\r\nbody12345678"))
	f.Add(make([]byte, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		scanBlock(data, time.Time{}, func(id []byte, _ time.Time) {
			if len(id) > len(data) {
				t.Errorf("an id of %d bytes in %d", len(id), len(data))
			}
		})
	})
}
