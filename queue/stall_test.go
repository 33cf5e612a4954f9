package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// quick has a relay of a site notice in a moment what takes half a minute
// otherwise; it passes on what it says of lanes.
func quick(t testing.TB, stalls chan<- string, p queuetest.Place) *Queue {
	t.Helper()
	return noticing(t, 600*time.Millisecond, stalls, p)
}

// noticing has it notice after so long.
func noticing(t testing.TB, after time.Duration, stalls chan<- string, p queuetest.Place) *Queue {
	t.Helper()
	q, err := Open(testContext(t), in(p, engine.Options{
		Dir: t.TempDir(), Seams: engine.Seams{AckWait: time.Second, StalledAfter: after},
		OnStall: func(service, why string) {
			select {
			case stalls <- service + ": " + why:
			default:
			}
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, q) })
	return q
}

// collect takes n entries in the order of each call, and finishes them.
func collect(t testing.TB, l *Lane, n int) {
	t.Helper()
	ctx, last := testContext(t), map[string]uint64{}
	for got := 0; got < n; {
		entries, err := l.Next(ctx, 16)
		if err != nil {
			t.Fatalf("%d of %d handed out: %v", got, n, err)
		}
		for _, e := range entries {
			if e.Seq < last[e.Call] {
				t.Errorf("call %s: %d after %d", e.Call, e.Seq, last[e.Call])
			}
			last[e.Call] = e.Seq
			e.Finish()
			got++
		}
	}
}

// The keeper dies with one delivery of an ordered service in hand, and far more
// newer ones than a lane takes wait before JetStream sends that one again.
func TestAnOrderedLaneGetsWhatADeadKeeperHadBehindALongBacklog(t *testing.T) {
	t.Parallel()
	p, stalls := queuetest.Server(t, t.TempDir()), make(chan string, 1)
	toA, cable := wire(t, p)
	toB, cableB := wire(t, p)
	a, b := noticing(t, time.Hour, stalls, toA), noticing(t, time.Hour, stalls, toB) // it needs no help
	for _, q := range []*Queue{a, b} {
		q.Lane("crm").SetOrdered(true)
	}
	eventually(t, "a keeper", func() bool { return a.base.keeps() || b.base.keeps() })
	keeper, other := a, b
	if b.base.keeps() {
		keeper, other, cable = b, a, cableB
	}
	all := records("crm", 0, 1600)
	for i := range all {
		all[i].Call = fmt.Sprint("call-", i/5)
	}
	write(t, other, all[:1]...)
	next(t, keeper.Lane("crm"), 1) // in flight, and never finished
	cable.set(true)                // dead: it renews and says nothing any more
	for i := 1; i < len(all); i += 100 {
		write(t, other, all[i:min(i+100, len(all))]...)
	}
	eng := other.store.Engine()
	if _, err := eng.JS.Publish(testContext(t), eng.Subject(leaseSubject), nil); err != nil {
		t.Fatal(err) // the lease is free sooner than by itself
	}
	collect(t, other.Lane("crm"), len(all))
}

// rob has somebody else take deliveries from the consumer of crm.
func rob(t *testing.T, q *Queue, n int) {
	t.Helper()
	eng := q.store.Engine()
	sub, err := eng.NC.SubscribeSync(eng.NC.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	waits := func() int {
		info, err := eng.Consumer(testContext(t), "crm")
		if err != nil {
			t.Fatal(err)
		}
		return info.NumWaiting
	}
	before := waits()
	_ = eng.NC.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+eng.Name(record.Events)+".crm", sub.Subject, fmt.Appendf(nil, `{"batch":%d,"expires":5000000000}`, n))
	eventually(t, "the robber waits", func() bool { return waits() > before })
}

func TestWhatCameToSomebodyElseIsNotTakenForFinished(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	q := open(t, engine.Options{Dir: t.TempDir()})
	l := q.Lane("crm")
	none(t, l) // it has asked for some
	rob(t, q, 20)
	write(t, q, records("crm", 0, 50)...)
	collect(t, l, 50)
}

// A lane begins anew by itself, and says so, whatever took its deliveries away.
func TestALaneThatStandsStillBeginsAnew(t *testing.T) {
	t.Parallel()
	deaf := func(t *testing.T, q *Queue, l *Lane) {
		write(t, q, sample("crm", 0))
		next(t, l, 1)[0].Finish()
		l.mu.Lock()
		_ = l.pull.feed.sub.Unsubscribe()
		l.mu.Unlock()
		write(t, q, records("crm", 1, 50)...)
	}
	robbed := func(t *testing.T, q *Queue, _ *Lane) {
		queuetest.NeedsFolder(t) // of a cluster each relay may take from it
		rob(t, q, 49)
		write(t, q, records("crm", 1, 50)...)
	}
	for _, test := range []struct {
		name    string
		ordered bool
		site    bool
		harm    func(*testing.T, *Queue, *Lane)
	}{
		{"deaf", false, false, deaf},
		{"deaf, in order", true, false, deaf},
		{"deaf, of a site", false, true, deaf},
		{"deaf, of a site, in order", true, true, deaf},
		{"robbed", false, false, robbed},
		{"robbed, in order", true, false, robbed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p, stalls := queuetest.Cluster(t, dir), make(chan string, 1)
			if test.site {
				p = queuetest.Server(t, dir)
			}
			q := quick(t, stalls, p)
			l := q.Lane("crm")
			l.SetOrdered(test.ordered)
			test.harm(t, q, l)
			collect(t, l, 49)
			select {
			case said := <-stalls:
				if !strings.HasPrefix(said, "crm: ") {
					t.Errorf("it said %q, not of crm", said)
				}
			default:
				t.Error("nobody was told")
			}
			if err := q.Degraded(); err != nil {
				t.Errorf("it stands still no more, and yet: %v", err)
			}
		})
	}
}

func TestAConsumerThatAnOperatorPausedStandsStillAndIsLeftAlone(t *testing.T) {
	t.Parallel()
	stalls, dir := make(chan string, 1), t.TempDir()
	q := quick(t, stalls, queuetest.Cluster(t, dir))
	l := q.Lane("crm")
	write(t, q, sample("crm", 0))
	next(t, l, 1)[0].Finish()
	eng := q.store.Engine()
	if _, err := eng.JS.PauseConsumer(testContext(t), eng.Name(record.Events), "crm", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is paused", func() bool {
		info, err := eng.Consumer(testContext(t), "crm")
		return err == nil && info.Paused
	})
	write(t, q, sample("crm", 1))
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error, 1)
	go func() {
		_, err := l.Next(ctx, 1)
		done <- err
	}()
	for range 2 {
		if said := <-stalls; !strings.Contains(said, "paused") {
			t.Errorf("it said %q, want that the consumer is paused", said)
		}
	}
	if err := q.Degraded(); err == nil || !strings.Contains(err.Error(), "crm stands still") || !q.Stats().Services["crm"].Stalled {
		t.Errorf("got %v, want that crm stands still", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("next: %v, want nothing", err)
	}
	eventually(t, "nobody waits any more", func() bool { return q.Degraded() == nil })
}

func TestALaneThatOwesNothingDoesNotStandStill(t *testing.T) {
	t.Parallel()
	stalls, dir := make(chan string, 1), t.TempDir()
	q := quick(t, stalls, queuetest.Cluster(t, dir))
	l := q.Lane("crm")
	write(t, q, records("crm", 0, 2)...)
	entries := next(t, l, 2)
	entries[0].Finish() // the other one stays in flight
	if err := entries[1].Park(Parking{Attempts: 1, Due: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(testContext(t), 3*q.store.Options.Seams.StalledAfter/2)
	defer cancel()
	if _, err := l.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("next: %v, want nothing", err)
	}
	select {
	case said := <-stalls:
		t.Errorf("it said %q of a lane that owes nothing", said)
	default:
	}
}

// Nobody can keep the site without the stream that says who does.
func TestASiteThatNobodyKeepsIsSeenAndBeginsAnew(t *testing.T) {
	t.Parallel()
	stalls := make(chan string, 1)
	q := quick(t, stalls, queuetest.Server(t, t.TempDir()))
	l := q.Lane("crm")
	l.SetOrdered(true)
	eventually(t, "a keeper", q.base.keeps)
	eng := q.store.Engine()
	if err := eng.JS.DeleteStream(testContext(t), eng.Name(record.Leases)); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Fatal(err)
	}
	if said := <-stalls; !strings.HasPrefix(said, ": ") {
		t.Errorf("it said %q, want it of the site", said)
	}
	eventually(t, "it is well", func() bool { return q.Degraded() == nil && q.base.keeps() })
	write(t, q, sample("crm", 1))
	next(t, l, 1)[0].Finish()
}
