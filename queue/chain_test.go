package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// ordered opens a queue with an ordered lane.
func ordered(t *testing.T, dir string) (*Queue, *Lane) {
	t.Helper()
	q := open(t, engine.Options{Dir: dir})
	l := q.Lane("crm")
	l.SetOrdered(true)
	return q, l
}

// ofCall makes the n-th record of a call.
func ofCall(call string, n int) record.Record {
	r := sample("crm", n)
	r.ID, r.Call = fmt.Sprintf("%s/%d", call, n), call
	return r
}

func TestOrderedLaneHandsOutOneEntryOfACall(t *testing.T) {
	t.Parallel()
	_, l := ordered(t, t.TempDir())
	write(t, l.q, ofCall("a", 1), ofCall("a", 2), ofCall("b", 1), ofCall("a", 3), ofCall("", 1), ofCall("", 2))
	first := next(t, l, 4)
	if got, want := ids(first), []string{"a/1", "b/1", "/1", "/2"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	none(t, l)
	first[0].Return()
	again := next(t, l, 1)[0]
	if again.ID != "a/1" {
		t.Fatalf("after its return: got %s, want a/1", again.ID)
	}
	none(t, l)
	if err := again.Park(Parking{Attempts: 1, Due: time.Now().Add(30 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a/1", "a/2", "a/3"} {
		e := next(t, l, 1)[0]
		if e.ID != want {
			t.Fatalf("got %s, want %s", e.ID, want)
		}
		none(t, l)
		if err := e.Bury(record.Death{Reason: "rejected"}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStuckCallsDoNotUseUpPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q, l := ordered(t, dir)
	var stuck []record.Record
	for n := range 1100 {
		stuck = append(stuck, ofCall("stuck", n))
	}
	write(t, q, stuck...)
	head := next(t, l, 1)[0]
	write(t, q, ofCall("free", 0))
	if e := next(t, l, 1)[0]; e.ID != "free/0" {
		t.Fatalf("got %s", e.ID)
	} else {
		e.Finish()
	}
	eventually(t, "the followers are parked", func() bool {
		s := q.Stats().Services["crm"]
		return s.Parked >= 1100-2*maxFollowers && s.Parked+s.Waiting == 1099
	})
	if err := head.Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	shut(t, q)

	q, l = ordered(t, dir)
	none(t, l)
	l.Wake(WakeAll)
	for n := range 1100 {
		entries := next(t, l, 1)
		if want := fmt.Sprintf("stuck/%d", n); entries[0].ID != want {
			t.Fatalf("got %s, want %s", entries[0].ID, want)
		}
		entries[0].Finish()
	}
	none(t, l)
}

// TestFollowersWaitForAHeadThatWasNotParked restarts while the first of a call
// lies in EVENTS and those behind it in RETRY.
func TestFollowersWaitForAHeadThatWasNotParked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q, l := ordered(t, dir)
	var stuck []record.Record
	for n := range 1100 {
		stuck = append(stuck, ofCall("stuck", n))
	}
	write(t, q, stuck...)
	head := next(t, l, 1)[0]
	eventually(t, "the followers are parked", func() bool {
		none(t, l)
		return q.Stats().Services["crm"].Parked > maxFollowers
	})
	head.Return()
	shut(t, q)

	_, l = ordered(t, dir)
	for n := range 1100 {
		e := next(t, l, 1)[0]
		if want := fmt.Sprintf("stuck/%d", n); e.ID != want {
			t.Fatalf("got %s, want %s", e.ID, want)
		}
		e.Finish()
	}
	none(t, l)
}

// TestAFollowerIsNotDeliveredWhileItIsParked: a crash just then would leave its
// copy in RETRY, and deliver that, too.
func TestAFollowerIsNotDeliveredWhileItIsParked(t *testing.T) {
	t.Parallel()
	q, l := ordered(t, t.TempDir())
	const n = maxFollowers + 100
	var busy []record.Record
	for i := range n {
		busy = append(busy, ofCall("busy", i))
	}
	q.store.Retry.CommitMu.Lock()
	park := sync.OnceFunc(q.store.Retry.CommitMu.Unlock)
	defer park()
	write(t, q, busy...)
	head := next(t, l, 1)[0]
	eventually(t, "the followers are being parked", func() bool {
		none(t, l)
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.order.spilled != nil
	})
	head.Finish()
	none(t, l)
	park()
	for i := 1; i < n; i++ {
		e := next(t, l, 1)[0]
		if want := fmt.Sprintf("busy/%d", i); e.ID != want {
			t.Fatalf("got %s, want %s", e.ID, want)
		}
		e.Finish()
	}
	none(t, l)
}

func TestFollowersThatCannotBeParkedAreFew(t *testing.T) {
	t.Parallel()
	q, l := ordered(t, t.TempDir())
	var stuck []record.Record
	for n := range 4 * maxFollowers {
		stuck = append(stuck, ofCall("stuck", n))
	}
	write(t, q, stuck...)
	q.store.Space.Pretend(0, nil) // nothing can be parked any more
	next(t, l, 1)
	none(t, l)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.order.following > 2*maxFollowers {
		t.Errorf("got %d followers in memory, want %d at most", l.order.following, 2*maxFollowers)
	}
}

func TestLaneBecomesOrderedAndUnordered(t *testing.T) {
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	write(t, q, ofCall("a", 1), ofCall("a", 2), ofCall("a", 3), ofCall("a", 4))
	two := next(t, l, 2)
	l.SetOrdered(true)
	none(t, l)
	two[0].Finish()
	none(t, l)
	two[1].Finish()
	three := next(t, l, 1)[0]
	none(t, l)
	l.SetOrdered(false)
	if four := next(t, l, 1)[0]; three.ID != "a/3" || four.ID != "a/4" {
		t.Errorf("got %s and %s", three.ID, four.ID)
	}
}

// TestOrderHoldsThroughFailuresAndRestarts lets a third of all attempts fail in
// all ways there are, and restarts in between.
func TestOrderHoldsThroughFailuresAndRestarts(t *testing.T) {
	t.Parallel()
	const calls, length = 20, 10
	dir := t.TempDir()
	q, l := ordered(t, dir)
	for n := range length {
		for c := range calls {
			write(t, q, ofCall(fmt.Sprint("call-", c), n))
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	reached := map[string]int{}
	for done := 0; done < calls*length; {
		if rnd.IntN(60) == 0 {
			shut(t, q)
			q, l = ordered(t, dir)
		}
		for _, e := range next(t, l, 1) {
			var n int
			if _, err := fmt.Sscanf(e.ID[len(e.Call):], "/%d", &n); err != nil {
				t.Fatal(err)
			}
			if n != reached[e.Call] {
				t.Fatalf("%s came when %d was due", e.ID, reached[e.Call])
			}
			switch rnd.IntN(6) {
			case 0:
				e.Return()
			case 1:
				if err := e.Park(Parking{Attempts: e.Attempts + 1, Due: time.Now().Add(time.Millisecond)}); err != nil {
					t.Fatal(err)
				}
			default:
				e.Finish()
				reached[e.Call]++
				done++
			}
		}
	}
	none(t, l)
}
