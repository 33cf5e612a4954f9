package queue

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// wires are the ways to the servers of a cluster.
type wires []*queuetest.Wire

func (w wires) set(cut bool) {
	for _, one := range w {
		one.Set(cut)
	}
}

// wired returns a cluster and the wires through which it is reached.
func wired(t testing.TB) (queuetest.Place, wires) {
	t.Helper()
	return wire(t, queuetest.Server(t, t.TempDir()))
}

// wire returns the place through wires of its own.
func wire(t testing.TB, p queuetest.Place) (queuetest.Place, wires) {
	t.Helper()
	var all wires
	p.Servers = slices.Clone(p.Servers)
	for i, server := range p.Servers {
		to, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		w, err := queuetest.NewWire(to.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		to.Host = w.Address()
		p.Servers[i] = to.String()
		all = append(all, w)
	}
	return p, all
}

// openIn opens a queue in a place and closes it with the test.
func openIn(t testing.TB, p queuetest.Place, o engine.Options) *Queue {
	t.Helper()
	q, err := Open(testContext(t), in(p, o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close(context.Background()) })
	return q
}

// secondsToRefuse is how long an event may go without an answer when the
// cluster is lost just then.
const secondsToRefuse = 2 * journal.CommitTimeout

func TestALostClusterIsRefusedSoonAndNothingGrows(t *testing.T) {
	p, ways := wired(t)
	q := openIn(t, p, engine.Options{Dir: t.TempDir()})
	write(t, q, sample("crm", 0))
	l := q.Lane("crm")
	held := next(t, l, 1)[0]
	ways.set(true)
	refuse := func(n int) {
		ctx, cancel := context.WithTimeout(testContext(t), secondsToRefuse)
		defer cancel()
		if err := q.Write(ctx, records("crm", n, n+10)); !errors.Is(err, record.ErrUnavailable) {
			t.Fatalf("write while the cluster is away: %v", err)
		}
	}
	refuse(1)
	eventually(t, "health says so", func() bool { return q.Health() != nil })
	held.Finish() // its acknowledgement waits, too
	runtime.GC()
	before, size := runtime.NumGoroutine(), treeSize(q.store.Options.Dir)
	for n := range 2000 {
		refuse(n * 10)
	}
	if after := runtime.NumGoroutine(); after > before+10 {
		t.Errorf("%d goroutines, there were %d", after, before)
	}
	waiting, bytes := q.store.Events.Waits()
	if waiting != 0 || bytes != 0 {
		t.Errorf("%d records of %d bytes are kept in memory", waiting, bytes)
	}
	if now := treeSize(q.store.Options.Dir); now > size {
		t.Errorf("the folder grew from %d to %d bytes", size, now)
	}
	ways.set(false)
	eventually(t, "it takes records again", func() bool { return q.Health() == nil })
	write(t, q, sample("crm", 1))
	if e := next(t, l, 1)[0]; e.ID != "crm-1" {
		t.Errorf("got %s, which was finished", e.ID)
	}
}

func TestASpoolTakesWhatTheClusterCannot(t *testing.T) {
	p, ways := wired(t)
	dir := t.TempDir()
	q := openIn(t, p, engine.Options{Dir: dir, Spool: true})
	write(t, q, records("crm", 0, 20)...)
	ways.set(true)
	write(t, q, records("crm", 20, 50)...)
	write(t, q, records("crm", 40, 70)...) // some are known
	if q.Degraded() == nil || q.Health() != nil {
		t.Errorf("degraded: %v, health: %v", q.Degraded(), q.Health())
	}
	eventually(t, "what is spooled is counted", func() bool {
		s := q.Stats()
		return s.Spooled == 50 && s.Services["crm"].Waiting >= 50 && !s.Services["crm"].Oldest.IsZero()
	})
	shut(t, q)
	q = openIn(t, p, engine.Options{Dir: dir, Spool: true}) // while the cluster is away
	write(t, q, records("crm", 70, 80)...)
	ways.set(false)
	eventually(t, "all is forwarded", func() bool { return q.Degraded() == nil })
	write(t, q, records("crm", 80, 90)...)
	expectInOrder(t, q, 90)
	eventually(t, "nothing waits, nor is spooled", func() bool {
		s := q.Stats()
		return s.Spooled == 0 && s.Services["crm"].Waiting == 0
	})
}

// expectInOrder takes the records of crm, each once and in order.
func expectInOrder(t *testing.T, q *Queue, n int) {
	t.Helper()
	for i := range n {
		e := next(t, q.Lane("crm"), 1)[0]
		if e.ID != sample("crm", i).ID {
			t.Fatalf("entry %d is %s", i, e.ID)
		}
		e.Finish()
	}
	none(t, q.Lane("crm"))
}

func TestAFullSpoolRefuses(t *testing.T) {
	p, ways := wired(t)
	q := openIn(t, p, engine.Options{Dir: t.TempDir(), Spool: true, MaxBytes: 64 << 10})
	ways.set(true)
	var err error
	for n := 0; err == nil && n < 1000; n += 10 {
		err = q.Write(testContext(t), records("crm", n, n+10))
	}
	if !errors.Is(err, record.ErrFull) {
		t.Errorf("got %v, want that it is full", err)
	}
}

// TestWhatNoServerTakesIsRefused sends what would stay the first of the spool for
// ever, and have all behind it wait.
func TestWhatNoServerTakesIsRefused(t *testing.T) {
	p, ways := wired(t)
	q := openIn(t, p, engine.Options{Dir: t.TempDir(), Spool: true})
	large := sample("crm", 0)
	large.Body = bytes.Repeat([]byte("x"), 2*usualPayload)
	refuse := func() {
		t.Helper()
		if err := q.Write(testContext(t), []record.Record{sample("crm", 9), large}); !errors.Is(err, record.ErrTooLarge) {
			t.Errorf("got %v, want that it is too large", err)
		}
	}
	write(t, q, sample("crm", 0))
	refuse()
	ways.set(true)
	write(t, q, sample("crm", 1))
	refuse()
	ways.set(false)
	eventually(t, "all is forwarded", func() bool { return q.Degraded() == nil })
	expectInOrder(t, q, 2)
}

func TestAClosedSpoolHoldsNothing(t *testing.T) {
	p, _ := wired(t)
	q := openIn(t, p, engine.Options{Dir: t.TempDir(), Spool: true})
	shut(t, q)
	q.base.bridge().Fall()
	if err := q.Write(testContext(t), []record.Record{sample("crm", 0)}); !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("got %v, want an answer", err)
	}
}

// spoolChild tells a copy of the test binary to append records from a number on,
// to a queue with a spool.
const spoolChild = "QUEUE_TEST_SPOOL"

type spoolTask struct {
	Dir   string
	Place queuetest.Place
	From  int
}

func runSpoolChild(text string) error {
	var task spoolTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return err
	}
	q, err := Open(context.Background(), in(task.Place, engine.Options{Dir: task.Dir, Spool: true}))
	if err != nil {
		return err
	}
	places := make(chan struct{}, 100)
	for n := task.From; ; n++ {
		places <- struct{}{}
		q.Append(records("crm", n, n+1), func(err error) {
			if err != nil {
				fmt.Fprintln(os.Stderr, n, err)
				os.Exit(1)
			}
			fmt.Fprintln(os.Stdout, n)
			<-places
		})
	}
}

// appendUntilKilled runs the child until it has acknowledged so many, tells of
// each, kills it, and returns the number of the first that was not acknowledged.
func appendUntilKilled(t *testing.T, task spoolTask, count int, at func(n int)) int {
	t.Helper()
	data, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), spoolChild+"="+string(data))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	last, seen := task.From-1, 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil || n != last+1 {
			t.Fatalf("%q was acknowledged after %d", lines.Text(), last)
		}
		last, seen = n, seen+1
		at(seen)
		if seen == count {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if seen < count {
		t.Fatalf("%d of %d acknowledged", seen, count)
	}
	return last + 1
}

func TestASpoolSurvivesKills(t *testing.T) {
	p, ways := wired(t)
	task := spoolTask{Dir: t.TempDir(), Place: p}
	when := func(n int, cut bool) func(int) {
		return func(seen int) {
			if seen == n {
				ways.set(cut)
			}
		}
	}
	task.From = appendUntilKilled(t, task, 2000, when(300, true))
	task.From = appendUntilKilled(t, task, 2000, when(0, false))
	task.From = appendUntilKilled(t, task, 2000, when(500, false)) // and killed while it forwards
	task.From = appendUntilKilled(t, task, 1000, when(400, true))
	ways.set(false)
	q := openIn(t, p, engine.Options{Dir: task.Dir, Spool: true})
	eventually(t, "all is forwarded", func() bool { return q.Degraded() == nil })
	stored, err := q.store.Engine().ServiceCounts(testContext(t), record.Events)
	if err != nil || stored["crm"] < task.From {
		t.Fatalf("%d of %d acknowledged records are there: %v", stored["crm"], task.From, err)
	}
	expectInOrder(t, q, stored["crm"])
}

// TestASpooledEventIsNoCopyOfAnother: two relays that cannot see each other have
// acknowledged an id for two contents. Both are delivered, and a copy once.
func TestASpooledEventIsNoCopyOfAnother(t *testing.T) {
	p := queuetest.Server(t, t.TempDir())
	here := openIn(t, p, engine.Options{Dir: t.TempDir()})
	cutOff, ways := wire(t, p)
	there := openIn(t, cutOff, engine.Options{Dir: t.TempDir(), Spool: true})
	ways.set(true)
	write(t, here, claiming("crm", "C1", "a"), claiming("crm", "C2", "a"))
	write(t, there, claiming("crm", "C1", "b"), claiming("crm", "C2", "a"))
	ways.set(false)
	eventually(t, "all is forwarded", func() bool { return there.Degraded() == nil })
	var got []string
	for _, e := range next(t, here.Lane("crm"), 3) {
		got = append(got, e.Claim)
		e.Finish()
	}
	slices.Sort(got)
	if want := []string{"C1=a", "C1=b", "C2=a"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	none(t, here.Lane("crm"))
}
