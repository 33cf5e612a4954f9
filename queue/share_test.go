package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/queue/doctor"
	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// openSite opens a queue for each of several relays of one site.
func openSite(t testing.TB, relays int) []*Queue {
	t.Helper()
	p := queuetest.Server(t, t.TempDir())
	queues := make([]*Queue, relays)
	for i := range queues {
		q, err := Open(testContext(t), in(p, engine.Options{Dir: t.TempDir()}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { shut(t, q) })
		queues[i] = q
	}
	return queues
}

// settles waits until both relays count what a service is owed alike.
func settles(t testing.TB, queues []*Queue, want ...record.ServiceStats) {
	t.Helper()
	for i, q := range queues {
		var got record.ServiceStats
		same := func() bool {
			got = q.Stats().Services["crm"]
			return got.Waiting == want[i].Waiting && got.InFlight == want[i].InFlight && got.Parked == want[i].Parked
		}
		for deadline := time.Now().Add(10 * time.Second); !same(); {
			if time.Now().After(deadline) {
				t.Fatalf("relay %d: got %d waiting, %d in flight, %d parked, want %+v", i+1, got.Waiting, got.InFlight, got.Parked, want[i])
			}
			none(t, q.Lane("other"))
		}
	}
}

func TestRelaysOfASiteCountADeliveryOnce(t *testing.T) {
	t.Parallel()
	queues := openSite(t, 2)
	a, b := queues[0], queues[1]
	write(t, a, records("crm", 0, 100)...)
	if got := a.Stats().Services["crm"].Waiting; got != 100 {
		t.Errorf("%d wait at once, want 100", got)
	}
	ofA := next(t, a.Lane("crm"), 3)
	ofB := next(t, b.Lane("crm"), 5)
	settles(t, queues, record.ServiceStats{Waiting: 97, InFlight: 3}, record.ServiceStats{Waiting: 95, InFlight: 5})
	for _, e := range ofB[:2] {
		e.Finish()
	}
	if err := ofA[0].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	settles(t, queues, record.ServiceStats{Waiting: 95, InFlight: 2, Parked: 1}, record.ServiceStats{Waiting: 94, InFlight: 3, Parked: 1})
}

func TestRelaysOfASiteDeliverOnceBetweenThem(t *testing.T) {
	t.Parallel()
	queues := openSite(t, 2)
	write(t, queues[1], records("crm", 0, 300)...)
	ids := make(chan string, 300)
	for _, q := range queues {
		go func() {
			for {
				entries, err := q.Lane("crm").Next(t.Context(), 4)
				if err != nil {
					return
				}
				for _, e := range entries {
					ids <- e.ID
					e.Finish()
				}
			}
		}()
	}
	seen := map[string]int{}
	for ctx := testContext(t); len(seen) < 300; {
		select {
		case id := <-ids:
			seen[id]++
		case <-ctx.Done():
			t.Fatalf("%d of 300 came", len(seen))
		}
	}
	settles(t, queues, record.ServiceStats{}, record.ServiceStats{})
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}

func TestWhatOneRelayErasesNoOtherDelivers(t *testing.T) {
	t.Parallel()
	queues := openSite(t, 2)
	a, b := queues[0], queues[1]
	const gone, kept = "call-of-ann", "call-of-bob"
	for n := range 5 {
		write(t, a, person("crm", gone, n), person("crm", kept, n))
	}
	first := next(t, b.Lane("crm"), 1)[0] // the others are in its memory
	first.Return()
	done, err := a.Erase(testContext(t), false, about(gone))
	if err != nil || done.Records[record.Events] != 5 {
		t.Fatalf("erased %+v, %v", done, err)
	}
	eventually(t, "the other relay knows", func() bool {
		l := b.lane("crm")
		l.mu.Lock()
		defer l.mu.Unlock()
		return !slices.ContainsFunc(append(l.tally.inHand(), l.ready...), func(e *Entry) bool { return e.Call == gone })
	})
	for _, e := range next(t, b.Lane("crm"), 5) {
		if e.Call != kept {
			t.Errorf("%s was erased", e.ID)
		}
		e.Finish()
	}
	settles(t, queues, record.ServiceStats{}, record.ServiceStats{})
}

func TestAnExaminationLooksAtTheCluster(t *testing.T) {
	t.Parallel()
	q := openSite(t, 1)[0]
	write(t, q, records("crm", 0, 7)...)
	check := func(list []doctor.Finding) {
		t.Helper()
		var all strings.Builder
		for _, f := range list {
			fmt.Fprintf(&all, "%s %s: %s\n", f.Level, f.What, f.Text)
			if f.Level == doctor.Faulty {
				t.Errorf("a fault: %s: %s", f.What, f.Text)
			}
		}
		for _, want := range []string{"ok EVENTS-" + q.store.Options.Site + ": 7 records of ", fmt.Sprintf("on %d server", q.store.Options.Replicas), "ok service crm: 7 owed, 0 parked"} {
			if !strings.Contains(all.String(), want) {
				t.Errorf("nothing of %q in\n%s", want, all.String())
			}
		}
	}
	check(q.Examine(testContext(t), []string{"crm"}))
	o := q.store.Options
	shut(t, q)
	list, err := doctor.Examine(testContext(t), o, []string{"crm"})
	if err != nil {
		t.Fatal(err)
	}
	check(list)
	o.Servers = []string{"nats://127.0.0.1:1"}
	list, err = doctor.Examine(testContext(t), o, nil)
	if err != nil || list[len(list)-1].What != "cluster" || list[len(list)-1].Level != doctor.Faulty {
		t.Errorf("a cluster that is away: %+v, %v", list, err)
	}
}

func TestAnOrderedLaneOfAClusterAsksForLess(t *testing.T) {
	t.Parallel()
	q := openIn(t, queuetest.Server(t, t.TempDir()), engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	most := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.pull.most()
	}
	for _, ordered := range []bool{false, true, false} { // as reloads say
		l.SetOrdered(ordered)
		if got, want := most(), map[bool]int{false: maxFetch, true: orderedFetch}[ordered]; got != want {
			t.Errorf("ordered %v: it asks for %d at most, want %d", ordered, got, want)
		}
	}
}
