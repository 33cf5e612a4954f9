package queue

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// inFolder is an embedded queue, whatever the tests are run with.
func inFolder(t testing.TB, dir string) *Queue {
	t.Helper()
	return openIn(t, queuetest.Place{}, engine.Options{Dir: dir})
}

// fillToMove leaves of each service: owed the first of each three records,
// parked the second, given up the third. The calls have some of all.
func fillToMove(t testing.TB, q *Queue, n int) {
	t.Helper()
	for _, service := range []string{"crm", "billing"} {
		write(t, q, records(service, 0, n)...)
		for i, e := range next(t, q.Lane(service), n) {
			var err error
			switch i % 3 {
			case 1:
				err = e.Park(Parking{Attempts: i, Due: time.Now().Add(time.Hour), Held: i%2 == 0, Status: 503, Reason: "busy"})
			case 2:
				err = e.Bury(record.Death{Reason: "rejected", Attempts: i, Status: 422, Error: "no"})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, q, records("done", 0, n)...)
	for _, e := range next(t, q.Lane("done"), n) {
		e.Finish()
	}
}

// expectMoved holds what fillToMove has left, and takes it.
func expectMoved(t *testing.T, q *Queue, n int) {
	t.Helper()
	eventually(t, "what is parked is known", func() bool { return q.base.keeps() })
	for _, service := range []string{"crm", "billing"} {
		l := q.Lane(service)
		l.SetOrdered(true)
		l.Wake(WakeHeld)
		var all []*Entry
		for len(all) < n-n/3 {
			for _, e := range next(t, l, 1) {
				all = append(all, e)
				e.Finish()
			}
			l.Wake(WakeAll) // those that came to their turn
		}
		none(t, l)
		expectEach(t, all, service, n)
	}
	letters := 0
	err := q.Letters(testContext(t), record.Filter{Service: "crm"}, func(l record.Letter) bool {
		if l.ID != sample("crm", 3*letters+2).ID || l.Status != 422 || l.Attempts != 3*letters+2 || l.Error != "no" || time.Since(l.Buried) > time.Hour {
			t.Errorf("letter %d is %+v", letters, l)
		}
		letters++
		return true
	})
	if err != nil || letters != n/3 {
		t.Errorf("%d letters, want %d: %v", letters, n/3, err)
	}
}

// expectEach holds that all came once, with their attempts, and those of each
// call in order: what was parked came first.
func expectEach(t *testing.T, all []*Entry, service string, n int) {
	t.Helper()
	seen, last := map[string]bool{}, map[string]int{}
	for _, e := range all {
		var i int
		if _, err := fmt.Sscanf(e.ID, service+"-%d", &i); err != nil || seen[e.ID] || i >= n || i%3 == 2 {
			t.Errorf("%s came, or came again", e.ID)
		}
		seen[e.ID] = true
		if want := i * (i % 3); e.Attempts != want {
			t.Errorf("%s had %d attempts, want %d", e.ID, e.Attempts, want)
		}
		rank := i
		if i%3 == 0 {
			rank += n
		}
		if before, known := last[e.Call]; known && rank < before {
			t.Errorf("%s came late in its call", e.ID)
		}
		last[e.Call] = rank
		if time.Since(e.Accepted) > time.Hour {
			t.Errorf("%s was accepted %v ago", e.ID, time.Since(e.Accepted))
		}
	}
}

func moveOptions(dir string, p queuetest.Place) (embedded, shared engine.Options) {
	return engine.Options{Dir: dir}, in(p, engine.Options{Dir: dir + "-cluster"})
}

func TestAMoveBringsAllIntoAClusterAndBack(t *testing.T) {
	t.Parallel()
	const n = 90
	p := queuetest.Server(t, t.TempDir())
	here, there := moveOptions(t.TempDir(), p)
	q := inFolder(t, here.Dir)
	fillToMove(t, q, n)
	if _, err := Move(testContext(t), here, there, func(Moved) {}); err == nil || !strings.Contains(err.Error(), "in use by another relay") {
		t.Errorf("a move while a relay runs: %v", err)
	}
	shut(t, q)
	want := Moved{Owed: 2 * n / 3, Parked: 2 * n / 3, Letters: 2 * n / 3}
	if got, err := Move(testContext(t), here, there, func(Moved) {}); err != nil || got != want {
		t.Fatalf("moved %+v, want %+v: %v", got, want, err)
	}
	if got, err := Move(testContext(t), here, there, func(Moved) {}); err != nil || got != (Moved{}) {
		t.Errorf("moved %+v once more: %v", got, err)
	}
	if got, err := Move(testContext(t), there, here, func(Moved) {}); err != nil || got != want {
		t.Fatalf("moved back %+v, want %+v: %v", got, want, err)
	}
	if got, err := Move(testContext(t), here, there, func(Moved) {}); err != nil || got != want {
		t.Fatalf("moved %+v, want %+v: %v", got, want, err)
	}
	o := there
	o.Dir = t.TempDir()
	expectMoved(t, openIn(t, p, o), n)
}

func TestAMoveLeavesARunningSiteAlone(t *testing.T) {
	t.Parallel()
	p := queuetest.Server(t, t.TempDir())
	q := openIn(t, p, engine.Options{Dir: t.TempDir()})
	eventually(t, "it keeps the retries", q.base.keeps)
	here, there := moveOptions(t.TempDir(), p)
	if _, err := Move(testContext(t), there, here, func(Moved) {}); !errors.Is(err, record.ErrBusy) {
		t.Errorf("got %v, want that another relay is at work", err)
	}
}

// moveChild tells a copy of the test binary to move.
const moveChild = "QUEUE_TEST_MOVE"

type moveTask struct {
	Dir   string
	Place queuetest.Place
	Back  bool
}

func runMoveChild(text string) error {
	var task moveTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return err
	}
	from, to := moveOptions(task.Dir, task.Place)
	if task.Back {
		from, to = to, from
	}
	_, err := Move(context.Background(), from, to, func(m Moved) { fmt.Fprintln(os.Stdout, m.Owed+m.Parked+m.Letters) })
	return err
}

// moveUntilKilled runs the child, kills it after so many batches, and reports
// whether it had ended by itself.
func moveUntilKilled(t *testing.T, task moveTask, batches int) (ended bool) {
	t.Helper()
	data, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), moveChild+"="+string(data))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if batches--; batches == 0 {
			_ = cmd.Process.Kill()
		}
	}
	return cmd.Wait() == nil
}

func TestAMoveSurvivesKills(t *testing.T) {
	t.Parallel()
	const n = 600
	p := queuetest.Server(t, t.TempDir())
	task := moveTask{Dir: t.TempDir(), Place: p}
	q := inFolder(t, task.Dir)
	fillToMove(t, q, n)
	shut(t, q)
	for _, back := range []bool{false, true, false} {
		task.Back = back
		kills := []int{1, 2, 3, 5}
		if back { // each takes as long as the cluster waits for what was in hand
			kills = []int{3}
		}
		for _, batches := range kills {
			moveUntilKilled(t, task, batches)
		}
		if !moveUntilKilled(t, task, 1<<30) {
			t.Fatal("the last move failed")
		}
	}
	expectMoved(t, openIn(t, p, engine.Options{Dir: t.TempDir()}), n)
}

// TestAMoveWaitsForWhatIsParked: all that is parked is known some time after the
// start, and goes before the rest.
func TestAMoveWaitsForWhatIsParked(t *testing.T) {
	t.Parallel()
	q := inFolder(t, t.TempDir())
	if err := q.base.own(testContext(t)); err != nil || !q.loading.over.Load() {
		t.Errorf("own returned before all was read: %v", err)
	}
	q.loading = newLoading(q)
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if err := q.base.own(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("own returned %v while RETRY was being read", err)
	}
}

// TestAMoveKeepsWhatComesToBeKnownLate: what is parked stays parked, with its
// attempts, though the lane hands it out beside what is fresh; and once is enough.
func TestAMoveKeepsWhatComesToBeKnownLate(t *testing.T) {
	t.Parallel()
	const n = 30
	dir := t.TempDir()
	q := inFolder(t, dir)
	fillToMove(t, q, n)
	shut(t, q)
	ctx := testContext(t)
	there := engine.Options{Dir: t.TempDir()}
	dst, err := openToMove(ctx, there)
	if err != nil {
		t.Fatal(err)
	}
	m := &move{src: inFolder(t, dir), dst: dst, tell: func(Moved) {}}
	m.here = m.src
	m.state.Doubts = map[string]*journal.Doubt{record.Events: {}, record.Retry: {}}
	if err := m.src.base.own(ctx); err != nil {
		t.Fatal(err)
	}
	l := m.src.Lane("crm")
	again := slices.Clone(l.retrying.lot.items)
	for {
		entries, err := l.sweeper.old(ctx, time.Now().Add(time.Hour), n)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		if err := m.entries(ctx, l, entries); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.park(ctx, l, again); err != nil {
		t.Fatal(err)
	}
	if m.moved.Owed != n/3 || m.moved.Parked != n/3 {
		t.Errorf("moved %+v, want %d owed and as many parked", m.moved, n/3)
	}
	shut(t, dst)
	got := inFolder(t, there.Dir).Lane("crm")
	got.Wake(WakeAll)
	expectEach(t, next(t, got, 2*n/3), "crm", n)
}
