package queue

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/lane"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

// childDir tells a copy of the test binary to be the relay that gets killed.
const childDir = "QUEUE_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if task := os.Getenv(spoolChild); task != "" {
		fmt.Fprintln(os.Stderr, runSpoolChild(task))
		os.Exit(1)
	}
	if task := os.Getenv(moveChild); task != "" {
		if err := runMoveChild(task); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child accepts and finishes deliveries until it is killed, and says on
// standard output what it has acknowledged ("a ID") and finished ("f ID TIME").
func child(dir string) error {
	q, err := Open(context.Background(), in(queuetest.Site(dir), engine.Options{Dir: dir}))
	if err != nil {
		return err
	}
	go func() {
		l := q.Lane("crm")
		for {
			entries, err := l.Next(context.Background(), 16)
			if err != nil {
				return
			}
			for i, e := range entries {
				switch {
				case i%5 == 4: // stays in flight
				case e.Attempts == 0 && i%5 == 3:
					_ = e.Park(Parking{Attempts: 1, Due: time.Now().Add(20 * time.Millisecond)})
				default:
					e.Finish()
					fmt.Fprintf(os.Stdout, "f %s %d\n", e.ID, time.Now().UnixMilli())
				}
			}
		}
	}()
	places := make(chan struct{}, 200)
	for n := 0; ; n++ {
		places <- struct{}{}
		r := sample("crm", n)
		q.Append([]record.Record{r}, func(err error) {
			if err == nil {
				fmt.Fprintf(os.Stdout, "a %s\n", r.ID)
			}
			<-places
		})
	}
}

// runChild runs the child until it has acknowledged n records, kills it, and
// returns what it said.
func runChild(t *testing.T, dir string, n int) (acked []string, finished map[string]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	finished = map[string]int64{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch f := strings.Fields(lines.Text()); {
		case len(f) == 2 && f[0] == "a":
			acked = append(acked, f[1])
		case len(f) == 3:
			finished[f[1]], _ = strconv.ParseInt(f[2], 10, 64)
		}
		if len(acked) == n {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	return acked, finished
}

func TestKillLosesNothingAndRepeatsLittle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked, finished := runChild(t, dir, 3000)
	killed := time.Now().UnixMilli()
	q := open(t, engine.Options{Dir: dir})
	l := q.Lane("crm")
	again := map[string]int{}
	for more := true; more; {
		ctx, cancel := context.WithTimeout(testContext(t), quiet(q))
		entries, err := l.Next(ctx, 100)
		cancel()
		one := q.Stats().Services["crm"] // on a busy machine nothing may come for a while
		more = err == nil || one.Waiting+one.Parked > 0 && t.Context().Err() == nil
		for _, e := range entries {
			again[e.ID]++
			e.Finish()
		}
	}
	for _, id := range acked {
		if again[id] == 0 && finished[id] == 0 {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	for id, n := range again {
		if n > 1 {
			t.Errorf("%s came %d times after one restart", id, n)
		}
		if at := finished[id]; at != 0 && at < killed-2000 {
			t.Errorf("%s came again, finished %d ms before the kill", id, killed-at)
		}
	}
	if len(again) == 0 {
		t.Error("nothing was in flight")
	}
}

// quiet is how long nothing comes when nothing more is to come.
func quiet(q *Queue) time.Duration {
	if !q.base.alone() {
		return engine.DefaultAckWait + 2*time.Second // until what was in flight is given to somebody else
	}
	return 500 * time.Millisecond
}

func TestIDsAreKnownAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acked, _ := runChild(t, dir, 500)
	q := open(t, engine.Options{Dir: dir})
	stored := q.Stats().Services["crm"]
	var n int
	if _, err := fmt.Sscanf(acked[0], "crm-%d", &n); err != nil {
		t.Fatal(err)
	}
	write(t, q, sample("crm", n), sample("crm", n))
	if got := q.Stats().Services["crm"]; got.Waiting != stored.Waiting {
		t.Errorf("waiting: got %d, want still %d", got.Waiting, stored.Waiting)
	}
}

// TestAParkedDeliveryThatIsDoneStaysSo: parked shortly before a crash it lies in
// EVENTS, too, and is delivered before what waits there in front of it, when the
// next crash comes.
func TestAParkedDeliveryThatIsDoneStaysSo(t *testing.T) {
	queuetest.NeedsFolder(t)
	t.Parallel()
	const n = 200
	killed := func(q *Queue) engine.Options {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(q.store.Options.Dir)); err != nil {
			t.Fatal(err)
		}
		return engine.Options{Dir: dir}
	}
	q := open(t, engine.Options{Dir: t.TempDir()})
	write(t, q, records("crm", 0, n)...)
	entries := next(t, q.Lane("crm"), n)
	q.saving.mu.Lock() // no floors are saved any more
	if err := entries[n-1].Park(Parking{Attempts: 1, Due: time.Now()}); err != nil {
		t.Fatal(err)
	}
	o := killed(q)
	q.saving.mu.Unlock()

	q = open(t, o)
	for e := (*Entry)(nil); e == nil || e.Attempts == 0; { // the others stay in flight
		if e = next(t, q.Lane("crm"), 1)[0]; e.Attempts > 0 {
			e.Finish()
		}
	}
	if err := q.saving.save(); err != nil {
		t.Fatal(err)
	}

	q = open(t, killed(q))
	for _, e := range next(t, q.Lane("crm"), n-1) {
		if e.ID == sample("crm", n-1).ID {
			t.Errorf("%s came again", e.ID)
		}
		e.Finish()
	}
	none(t, q.Lane("crm"))
}

// TestWhatIsPastIsForgotten: once nothing of EVENTS can come that it is to keep
// back.
func TestWhatIsPastIsForgotten(t *testing.T) {
	t.Parallel()
	var w lane.Window
	w.Restore(10, []uint64{9})
	p := parkingLot{past: map[uint64]bool{5: true, 9: true, 12: true}}
	if got, want := p.pastBeyond(&w), []uint64{9, 12}; !slices.Equal(got, want) || len(p.past) != 2 {
		t.Errorf("got %v, want %v", got, want)
	}
}
