package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

func TestVanishedConsumerIsRebuilt(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 200)...)
	l := q.Lane("crm")
	entries := next(t, l, 40)
	for _, e := range entries[:20] {
		e.Finish()
	}
	js := q.store.Engine().JS
	if err := js.DeleteConsumer(testContext(t), record.Events, "crm"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range next(t, l, 160) {
		seen[e.ID] = true
		e.Finish()
	}
	if len(seen) != 160 || seen["crm-0"] || seen["crm-39"] {
		t.Errorf("got %d different entries, want the 160 not handed out before", len(seen))
	}
	entries[30].Return()
	if e := next(t, l, 1)[0]; e.ID != "crm-30" {
		t.Errorf("got %s", e.ID)
	}
	eventually(t, "the consumer is there again", func() bool {
		_, err := js.Consumer(testContext(t), record.Events, "crm")
		return err == nil
	})
}

// TestWhatAReplacedConsumerHadSentIsNotCountedTwice gives a lane what was on its
// way when its consumer was made anew, and then again. Were it counted twice, one
// that still waits would be taken for finished and trimmed.
func TestWhatAReplacedConsumerHadSentIsNotCountedTwice(t *testing.T) {
	t.Parallel()
	l := newLane(nil, "crm")
	l.pull.feed.waiting, l.pull.feed.counted = 4, 6
	for _, sent := range []struct{ seq, nth uint64 }{{3, 3}, {4, 4}, {5, 5}, {3, 1}, {4, 2}, {5, 3}} {
		l.pull.accept(&Entry{Record: sample("crm", 0), Seq: sent.seq, lane: l}, sent.nth)
	}
	if l.pull.feed.waiting != 1 || len(l.fresh) != 3 {
		t.Errorf("got %d waiting and %d fresh, want 1 and 3", l.pull.feed.waiting, len(l.fresh))
	}
}

func TestVanishedStreamIsRecreated(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 50)...)
	l := q.Lane("crm")
	for _, e := range next(t, l, 50) {
		e.Finish()
	}
	deleteStream(t, q, record.Events)
	eventually(t, "the queue takes records again", func() bool {
		err := q.Write(testContext(t), records("crm", 100, 110))
		if err != nil && !errors.Is(err, record.ErrUnavailable) {
			t.Fatal(err)
		}
		return err == nil
	})
	if got := ids(next(t, l, 10)); got[0] != "crm-100" {
		t.Errorf("got %v", got)
	}
}

func TestPurgedRecordsWaitNoMore(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 5)...)
	q.Lane("crm")
	s, err := q.store.Engine().JS.Stream(testContext(t), record.Events)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(testContext(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing waits", func() bool { return q.Stats().Services["crm"].Waiting == 0 })
	write(t, q, sample("crm", 7))
	if e := next(t, q.Lane("crm"), 1)[0]; e.ID != "crm-7" {
		t.Errorf("got %s", e.ID)
	}
}

func TestRecordsOfOneServiceThatArePurgedWaitNoMore(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, sample("other", 0))
	write(t, q, records("crm", 0, 200)...)
	write(t, q, sample("other", 1))
	first := next(t, q.Lane("crm"), 1)[0]
	eventually(t, "all that was asked for has come", func() bool { // or what is left is sent at once
		q.lane("crm").mu.Lock()
		defer q.lane("crm").mu.Unlock()
		return q.lane("crm").pull.feed.asked == 0
	})
	s, err := q.store.Engine().JS.Stream(testContext(t), record.Events)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(testContext(t), jetstream.WithPurgeSubject("events.crm.>"), jetstream.WithPurgeKeep(5)); err != nil {
		t.Fatal(err)
	}
	first.Finish()
	sent := 0 // before the purge
	eventually(t, "those that are left wait", func() bool {
		q.lane("crm").mu.Lock()
		defer q.lane("crm").mu.Unlock()
		sent = len(q.lane("crm").fresh)
		return q.lane("crm").pull.feed.waiting == 5
	})
	if got := q.Stats().Services["other"].Waiting; got != 2 {
		t.Errorf("the other service: got %d waiting, want 2", got)
	}
	l := q.Lane("crm")
	for _, e := range next(t, l, sent+5) {
		e.Finish()
	}
	none(t, l)
	if got := q.Stats().Services["crm"].Waiting; got != 0 {
		t.Errorf("got %d waiting, want none", got)
	}
}

// stored counts the records of EVENTS.
func stored(t *testing.T, q *Queue) int {
	t.Helper()
	counts, err := q.store.Engine().SubjectCounts(testContext(t), record.Events)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, one := range counts {
		n += int(one)
	}
	return n
}

func TestOnlyWhatIsFinishedAndOldIsTrimmed(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	eng := q.store.Engine()
	write(t, q, records("stuck", 0, 1)...)
	write(t, q, records("crm", 0, 30)...)
	write(t, q, records("orphan", 0, 2)...)
	l := q.Lane("crm")
	entries := next(t, l, 30)
	for _, e := range entries[:20] {
		e.Finish()
	}
	if err := q.trimmer.trim(testContext(t), eng, time.Hour); err != nil || stored(t, q) != 33 {
		t.Errorf("trimmed what is young: %v, %d left", err, stored(t, q))
	}
	if err := q.trimmer.trim(testContext(t), eng, 0); err != nil || stored(t, q) != 13 {
		t.Errorf("%v, %d left, want the 13 unfinished", err, stored(t, q))
	}
	for _, e := range entries[20:] {
		e.Finish()
	}
	next(t, q.Lane("stuck"), 1)[0].Finish()
	if err := q.trimmer.trim(testContext(t), eng, 0); err != nil || stored(t, q) != 2 {
		t.Errorf("%v, %d left, want the 2 of the orphan", err, stored(t, q))
	}
	if got := ids(next(t, q.Lane("orphan"), 2)); got[0] != "orphan-0" {
		t.Errorf("got %v", got)
	}
	write(t, q, sample("crm", 99))
	next(t, l, 1)[0].Finish()
}

func TestHistoryIsNewestFirst(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	followed := make(chan Logged, 100)
	following := make(chan struct{})
	go func() {
		defer close(following)
		_ = q.Follow(t.Context(), "crm", func(l Logged) { followed <- l })
	}()
	eventually(t, "the follower hears", func() bool {
		q.LogAttempt("crm", "retry", []byte("first"))
		return len(followed) > 0
	})
	for range 100 {
		q.LogAttempt("billing", "delivered", []byte("other"))
	}
	q.LogAttempt("crm", "delivered", []byte("last"))
	q.LogDebug("crm", []byte("transcript"))
	var got []Logged
	eventually(t, "the last attempt is stored", func() bool {
		var err error
		if got, err = q.History(testContext(t), Attempts, "crm", 2); err != nil {
			t.Fatal(err)
		}
		return len(got) > 0 && string(got[0].Body) == "last"
	})
	if len(got) != 2 || got[0].Outcome != "delivered" || got[1].Outcome != "retry" || got[1].Service != "crm" {
		t.Errorf("got %+v", got)
	}
	eventually(t, "the transcript is stored", func() bool {
		found, err := q.History(testContext(t), Debug, "", 5)
		return err == nil && len(found) == 1 && string(found[0].Body) == "transcript"
	})
}

func TestConsumerShowsWhatIsPending(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, 2*minFetch)...)
	l := q.Lane("crm")
	js := q.store.Engine().JS
	info := func() *jetstream.ConsumerInfo {
		c, err := js.Consumer(testContext(t), record.Events, "crm")
		if err != nil {
			t.Fatal(err)
		}
		return c.CachedInfo()
	}
	if got := info(); got.NumPending != 2*minFetch || got.NumAckPending != 0 {
		t.Errorf("got %d pending and %d unacknowledged", got.NumPending, got.NumAckPending)
	}
	for _, e := range next(t, l, 2*minFetch) {
		e.Finish()
	}
	eventually(t, "nothing is pending", func() bool {
		got := info()
		return got.NumPending == 0 && got.NumAckPending == 0 && got.AckFloor.Stream == 2*minFetch
	})
}
