package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"callrelay/queue/dead"
	"callrelay/queue/engine"
	"callrelay/queue/record"
)

func TestOverflowCostsOnlyTheServiceThatHoldsMost(t *testing.T) {
	t.Parallel()
	high := make(chan int64, 100)
	q := open(t, engine.Options{Dir: t.TempDir(), MaxBytes: 4 << 20, OnHigh: func(bytes, _ int64) { high <- bytes }})
	for n := 0; n < 900; n += 50 {
		write(t, q, large("deaf", n, n+50)...)
		write(t, q, sample("well", n))
	}
	eventually(t, "room was made", func() bool {
		s := q.Stats()
		return s.Services["deaf"].Dead["overflow"] > 0 && !s.High
	})
	if len(high) != 1 {
		t.Errorf("told %d times, want 1", len(high))
	}
	if s := q.Stats().Services["well"]; s.Waiting != 18 || s.Dead != nil {
		t.Errorf("the other service has %+v", s)
	}
	first := next(t, q.Lane("deaf"), 1)[0]
	if lost := q.Stats().Services["deaf"].Dead["overflow"]; first.ID != fmt.Sprintf("deaf-%d", lost) {
		t.Errorf("%d given up, but the oldest left is %s", lost, first.ID)
	}
}

// large makes records of 4,000 bytes.
func large(service string, from, to int) []record.Record {
	recs := records(service, from, to)
	for i := range recs {
		recs[i].Body = make([]byte, 4000)
	}
	return recs
}

func TestFullQueueRefusesAndKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := engine.Options{Dir: dir, MaxBytes: 1 << 20, DeadMaxBytes: 256 << 10}
	q := open(t, o)
	accepted := 0
	eventually(t, "the queue and its dead letters are full", func() bool {
		err := q.Write(testContext(t), large("deaf", accepted, accepted+10))
		if err == nil {
			accepted += 10
		} else if !errors.Is(err, record.ErrFull) {
			t.Fatalf("got %v, want ErrFull", err)
		}
		return err != nil && q.store.DeadSpace.Take(sweepBatch*4000, time.Now()) != nil
	})
	if err := q.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	shut(t, q)
	q = open(t, o)
	s := q.Stats().Services["deaf"]
	if got := s.Waiting + s.Dead["overflow"]; got != accepted {
		t.Errorf("%d wait and %d are dead letters of %d accepted", s.Waiting, s.Dead["overflow"], accepted)
	}
	if n, err := q.DropLetters(testContext(t), record.Filter{Reason: "overflow"}); n != s.Dead["overflow"] || err != nil {
		t.Errorf("dropped %d: %v", n, err)
	}
}

func TestManyLettersAreReplayedInParts(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	write(t, q, records("crm", 0, 1200)...)
	write(t, q, records("billing", 0, 3)...)
	for _, service := range []string{"crm", "billing"} {
		if _, err := q.Sweep(testContext(t), service, time.Now(), record.Death{Reason: "expired"}); err != nil {
			t.Fatal(err)
		}
	}
	page := 0
	if err := q.Letters(testContext(t), record.Filter{}, func(record.Letter) bool { page++; return page < 20 }); err != nil || page != 20 {
		t.Errorf("a page of %d letters: %v", page, err)
	}
	ctx, stop := context.WithCancel(testContext(t))
	n, err := q.Replay(ctx, record.Filter{Service: "crm"}, func(record.Letter) { stop() }) // stopped in the middle
	if n == 0 && err == nil || n > dead.ReplayBatch {
		t.Errorf("stopped replay: %d and %v", n, err)
	}
	again, err := q.Replay(testContext(t), record.Filter{Service: "crm"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range next(t, l, 1200) {
		seen[e.ID] = true
		e.Finish()
	}
	none(t, l)
	if len(seen) != 1200 || n+again < 1200 {
		t.Errorf("%d came back in %d and %d", len(seen), n, again)
	}
	one := record.Letter{}
	if err := q.Letters(testContext(t), record.Filter{}, func(l record.Letter) bool { one = l; return false }); err != nil || one.Service != "billing" {
		t.Fatalf("left is %+v: %v", one, err)
	}
	for _, f := range []record.Filter{{Seqs: []uint64{one.Seq, 1 << 40}}, {Call: "call-1"}, {Since: one.Buried, ID: "billing-2"}} {
		if n, err := q.DropLetters(testContext(t), f); n != 1 || err != nil {
			t.Errorf("dropped %d by %+v: %v", n, f, err)
		}
	}
}

func TestSweepTakesWhatIsOldAndNotInFlight(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 1200)...)
	l := q.Lane("crm")
	entries := next(t, l, 10)
	for _, e := range entries[5:] {
		if err := e.Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a millisecond passed", func() bool { return time.Since(entries[0].Accepted) > 10*time.Millisecond })
	before := time.Now()
	write(t, q, sample("crm", 5000))
	n, err := q.Sweep(testContext(t), "crm", before, record.Death{Reason: "expired"})
	if n != 1195 || err != nil {
		t.Fatalf("swept %d: %v, want 1195", n, err)
	}
	if n, err := q.Sweep(testContext(t), "crm", before, record.Death{Reason: "expired"}); n != 0 || err != nil {
		t.Fatalf("swept %d again: %v", n, err)
	}
	if e := next(t, l, 1)[0]; e.ID != "crm-5000" {
		t.Errorf("got %s", e.ID)
	}
	eventually(t, "only what is in flight is counted", func() bool {
		s := q.Stats().Services["crm"]
		return s.InFlight == 6 && s.Parked == 0 && s.Waiting == 0 && s.Oldest.Sub(entries[0].Accepted).Abs() < time.Millisecond
	})
	eventually(t, "the letters are counted", func() bool { return q.Stats().Services["crm"].Dead["expired"] == 1195 })
}

func TestLettersAreFoundByCallAndByID(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	recs := records("crm", 0, 2600)
	for i := range recs {
		if i >= 500 {
			recs[i].Call = "busy"
		}
	}
	recs[7].Call = "alone"
	write(t, q, recs...)
	if _, err := q.Sweep(testContext(t), "crm", time.Now(), record.Death{Reason: "expired", Error: "Relay-Call: nobody"}); err != nil {
		t.Fatal(err)
	}
	count := func(f record.Filter) (n int) {
		t.Helper()
		last := uint64(0)
		err := q.Letters(testContext(t), f, func(l record.Letter) bool {
			if f.Call != "" && l.Call != f.Call || l.Seq <= last || l.Buried.IsZero() {
				t.Errorf("%+v gives %+v", f, l)
			}
			last = l.Seq
			n++
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, test := range []struct {
		name string
		f    record.Filter
		want int
	}{
		{"one of a call", record.Filter{Call: recs[7].Call}, 1},
		{"of a call that has none", record.Filter{Call: "nobody"}, 0},
		{"part of a call's name", record.Filter{Call: "bus"}, 0},
		{"so many that they are all read", record.Filter{Call: "busy"}, 2100},
		{"of another service", record.Filter{Call: "busy", Service: "billing"}, 0},
		{"one by id", record.Filter{ID: recs[9].ID}, 1},
		{"id of another call", record.Filter{ID: recs[9].ID, Call: recs[8].Call}, 0},
	} {
		if got := count(test.f); got != test.want {
			t.Errorf("%s: %d letters, want %d", test.name, got, test.want)
		}
	}
	if n, err := q.DropLetters(testContext(t), record.Filter{Call: recs[7].Call}); n != 1 || err != nil {
		t.Errorf("dropped %d: %v", n, err)
	}
	if got := count(record.Filter{Call: recs[7].Call}); got != 0 {
		t.Errorf("%d letters are left of the call", got)
	}
	if n, err := q.DropLetters(testContext(t), record.Filter{Service: "crm"}); err != nil || n == 0 {
		t.Errorf("dropped %d: %v", n, err)
	}
	if got := count(record.Filter{Call: "busy"}); got != 0 {
		t.Errorf("%d letters are left of all", got)
	}
}

// TestASlowReaderOutlastsItsConsumer has the consumer end between two requests,
// and during one.
func TestASlowReaderOutlastsItsConsumer(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 1500)...)
	if _, err := q.Sweep(testContext(t), "crm", time.Now(), record.Death{Reason: "expired"}); err != nil {
		t.Fatal(err)
	}
	eng, n := q.store.Engine(), 0
	err := q.Letters(testContext(t), record.Filter{}, func(record.Letter) bool {
		if n++; n%20 == 0 { // as JetStream does with one that nobody asks any more
			s, err := eng.JS.Stream(testContext(t), eng.Name(record.Dead))
			if err != nil {
				t.Fatal(err)
			}
			for name := range s.ConsumerNames(testContext(t)).Name() {
				if err := s.DeleteConsumer(testContext(t), name); err != nil {
					t.Fatal(err)
				}
			}
		}
		return true
	})
	if n != 1500 || err != nil {
		t.Errorf("read %d letters: %v, want 1500", n, err)
	}
}

func TestNewestLettersComeFirst(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("rare", 0, 3)...)
	write(t, q, records("crm", 0, 500)...)
	for _, service := range []string{"rare", "crm"} {
		if _, err := q.Sweep(testContext(t), service, time.Now(), record.Death{Reason: "expired"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name    string
		filter  record.Filter
		n       int
		highest uint64
	}{
		{"of all", record.Filter{Newest: 10}, 10, 503},
		{"of one far behind the end", record.Filter{Newest: 2, Service: "rare"}, 2, 3},
		{"more than there are", record.Filter{Newest: 10, Service: "rare"}, 3, 3},
		{"of none", record.Filter{Newest: 10, Service: "none"}, 0, 0},
	} {
		var seqs []uint64
		err := q.Letters(testContext(t), test.filter, func(l record.Letter) bool { seqs = append(seqs, l.Seq); return true })
		if err != nil || len(seqs) != test.n || !slices.IsSortedFunc(seqs, func(a, b uint64) int { return int(b) - int(a) }) {
			t.Errorf("%s: got %v, %v", test.name, seqs, err)
		}
		if len(seqs) > 0 && seqs[0] != test.highest {
			t.Errorf("%s: the first is %d, want %d", test.name, seqs[0], test.highest)
		}
	}
}

// TestNothingIsReadOfEmptyStreams: a stream that nothing was ever stored in has no
// first record to look back to.
func TestNothingIsReadOfEmptyStreams(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	tried, err1 := q.History(testContext(t), Attempts, "crm", 10)
	seen, err2 := q.History(testContext(t), Debug, "crm", 10)
	letters := 0
	err3 := q.Letters(testContext(t), record.Filter{Newest: 10}, func(record.Letter) bool { letters++; return true })
	if err := errors.Join(err1, err2, err3); err != nil || len(tried)+len(seen)+letters != 0 {
		t.Errorf("got %v, %v and %d letters: %v", tried, seen, letters, err)
	}
}
