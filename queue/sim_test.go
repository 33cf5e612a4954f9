package queue

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/queuetest"
	"callrelay/queue/record"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run the one schedule of this seed")
	simCount = flag.Int("sim.count", 12, "how many schedules to run")
)

// simProcess tells a copy of the test binary to run the schedules: what they
// leave in pools of timers is of use to nobody else.
const simProcess = "QUEUE_TEST_SIM"

// TestNoScheduleLosesOrRepeatsWhatItMustNot runs schedules of accepting,
// delivering, retrying, burying, trimming, crashes, power cuts and restarts over
// a JetStream that fails. Each is known by its seed: go test ./queue -run
// NoSchedule -sim.seed N runs that one again, -sim.count N runs more.
func TestNoScheduleLosesOrRepeatsWhatItMustNot(t *testing.T) {
	queuetest.NeedsFolder(t)
	if os.Getenv(simProcess) == "" {
		t.Parallel()
		args := []string{"-test.run", "^" + t.Name() + "$", "-test.v=" + fmt.Sprint(testing.Verbose())}
		args = append(args, "-sim.seed", fmt.Sprint(*simSeed), "-sim.count", fmt.Sprint(*simCount))
		cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), simProcess+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || testing.Verbose() {
			t.Logf("%s", out)
			if err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	seeds := []uint64{*simSeed}
	if *simSeed == 0 {
		seeds = make([]uint64, *simCount)
		for i := range seeds {
			seeds[i] = uint64(time.Now().UnixNano()) + uint64(i)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		for _, seed := range seeds {
			if simulate(t, seed); t.Failed() {
				return
			}
		}
	})
}

// world is what a schedule knows: what the queue promised, and what came out.
type world struct {
	t     *testing.T
	seed  uint64
	fault *faulty

	mu       sync.Mutex
	rand     *rand.Rand // of the schedule; each actor has one of its own
	actors   uint64
	story    map[string][]string // of each event
	alive    bool                // the process
	number   int                 // of the next event
	acked    map[string]bool
	again    map[string]bool      // was refused once, and sent again: it may have been delivered before
	refused  []record.Record      // to be sent again
	answers  []answer             // the latest
	finished map[string]time.Time // or dead
	unsaved  map[string]bool      // finished so shortly before a crash that it may come again
	buried   map[string]bool      // and not handed out since
	inFlight map[string]bool
	calls    map[string]string // of the ordered service: what is in flight
}

// answer is an acknowledgement, which a producer may have missed.
type answer struct {
	record record.Record
	at     time.Time
}

// missable is how long a producer waits at most for an answer. It is less than
// [engine.Options].Keep, so that the id lies in EVENTS still.
const missable = 500 * time.Millisecond

func simulate(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		t: t, seed: seed, rand: r, fault: newFaulty(seed),
		story: map[string][]string{}, acked: map[string]bool{}, again: map[string]bool{}, unsaved: map[string]bool{}, finished: map[string]time.Time{}, buried: map[string]bool{}, inFlight: map[string]bool{}, calls: map[string]string{},
	}
	w.fault.Delay = time.Duration(r.IntN(20)) * time.Millisecond
	w.fault.Twice = 0.1
	dir := simDir(t)
	for range 2 + r.IntN(4) {
		w.fault.Freeze = 0
		if r.IntN(3) == 0 {
			w.fault.Freeze = 0.02
		}
		dir = w.live(dir)
		if t.Failed() {
			return
		}
	}
	w.drain(dir)
}

// simDir is a folder in memory: a schedule syncs often.
func simDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sim")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (w *world) errorf(id, format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d: %s %s: %v", w.seed, id, fmt.Sprintf(format, args...), w.story[id])
	w.t.Log(w.story[""])
}

func (w *world) note(id, what string) {
	w.story[id] = append(w.story[id], time.Now().Format("5.000 ")+what)
}

// actor returns the chance of one goroutine, so that its choices do not depend on
// the others.
func (w *world) actor() *actor {
	w.actors++
	return &actor{w, rand.New(rand.NewPCG(w.seed, 100+w.actors))}
}

type actor struct {
	*world
	own *rand.Rand
}

func (w *actor) pause(ctx context.Context, most int) bool {
	engine.Pause(ctx, time.Duration(w.own.IntN(most))*time.Millisecond)
	return ctx.Err() == nil
}

func (w *world) open(dir string) *Queue {
	w.t.Helper()
	mine := true
	o := engine.Options{Dir: dir, Keep: time.Second, Seams: engine.Seams{JetStream: func() engine.JetStream {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.alive || !mine {
			return deadServer{}
		}
		w.fault.Start()
		return w.fault
	}}}
	if testing.Verbose() && *simSeed != 0 {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	w.alive = true
	w.note("", "start")
	for tries := 0; ; tries++ {
		q, err := Open(context.Background(), o)
		if err == nil {
			return q
		}
		if w.fault.Freeze == 0 || tries > 20 {
			w.t.Fatalf("seed %d: %v", w.seed, err)
		}
	}
}

// deadServer is that of a process that is no more.
type deadServer struct{}

func (deadServer) InProcessConn() (net.Conn, error) { return nil, errors.New("the process is killed") }
func (deadServer) Health() error                    { return nil }
func (deadServer) Stop()                            {}

// live runs the queue for a while and ends it in one of several ways. It returns
// the folder that the next run finds.
func (w *world) live(dir string) string {
	q := w.open(dir)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	producer, trimmer := w.actor(), w.actor()
	work.Go(func() { producer.produce(ctx, q) })
	for _, service := range []string{"plain", "ordered"} {
		l := q.Lane(service)
		l.SetOrdered(service == "ordered")
		for range 2 {
			consumer := w.actor()
			work.Go(func() { consumer.consume(ctx, l) })
		}
	}
	work.Go(func() {
		for trimmer.pause(ctx, 500) {
			if eng := q.store.Engine(); eng != nil {
				_ = q.base.trim(ctx, eng, 0)
			}
		}
	})
	operator := w.actor()
	work.Go(func() { operator.operate(ctx, q) })
	<-time.After(time.Duration(100+w.rand.IntN(3000)) * time.Millisecond)
	end := w.rand.IntN(4)
	if end > 0 {
		dir = w.crash(q, dir, end == 1)
	}
	cancel()
	work.Wait()
	err := q.Close(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive = false
	if end == 0 && err != nil && w.fault.Freeze == 0 {
		w.errorf("", "close: %v", err)
	}
	if end == 0 && err != nil {
		w.forgetUnsaved()
	}
	clear(w.inFlight)
	clear(w.calls)
	return dir
}

// crash ends the process, or the power, at this moment. What the old queue does
// from here on nobody sees.
func (w *world) crash(q *Queue, dir string, power bool) string {
	next := simDir(w.t)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alive = false
	w.forgetUnsaved()
	w.note("", fmt.Sprint("crash, of the power ", power))
	q.saving.mu.Lock()
	defer q.saving.mu.Unlock()
	if err := os.CopyFS(next, os.DirFS(dir)); err != nil {
		w.t.Fatal(err)
	}
	if power {
		w.fault.PowerCut()
		if q.saving.file.Dirty && w.rand.IntN(2) == 0 { // torn
			name := filepath.Join(next, filepath.Base(q.saving.file.Slots[q.saving.file.Current].Name()))
			if info, err := os.Stat(name); err == nil {
				_ = os.Truncate(name, w.rand.Int64N(info.Size()+1))
			}
		}
	} else {
		w.fault.Stop()
	}
	return next
}

// forgetUnsaved is called at the end of a process that could not save its floors.
func (w *world) forgetUnsaved() {
	for id, at := range w.finished {
		if time.Since(at) <= 2*floorInterval {
			w.unsaved[id] = true
			delete(w.finished, id)
		}
	}
}

// produce sends events, and again what was refused and some of what was acknowledged.
func (w *actor) produce(ctx context.Context, q *Queue) {
	for w.pause(ctx, 40) {
		w.mu.Lock()
		recs := w.refused
		w.refused = nil
		for range w.own.IntN(30) {
			service := [...]string{"plain", "ordered"}[w.own.IntN(2)]
			r := sample(service, w.number)
			r.Call = fmt.Sprint("call-", w.own.IntN(5))
			recs = append(recs, r)
			w.number++
		}
		for _, a := range w.answers {
			if time.Since(a.at) < missable && w.own.IntN(10) == 0 {
				recs = append(recs, a.record)
				w.note(a.record.ID, "sent again")
			}
		}
		w.mu.Unlock()
		for _, part := range [][]record.Record{recs[:len(recs)/2], recs[len(recs)/2:]} {
			if len(part) > 0 {
				q.Append(part, func(err error) { w.answered(part, err) })
			}
		}
	}
}

func (w *world) answered(recs []record.Record, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || !w.alive {
		w.refused = append(w.refused, recs...)
		for _, r := range recs {
			w.again[r.ID] = true
			w.note(r.ID, fmt.Sprint("refused: ", err))
		}
		return
	}
	for _, r := range recs {
		if !w.acked[r.ID] {
			w.answers = append(w.answers, answer{r, time.Now()})
		}
		w.acked[r.ID] = true
		w.note(r.ID, "acknowledged")
	}
	w.answers = w.answers[max(len(w.answers)-50, 0):]
}

// operate buries what waits for long, and has dead letters replayed.
func (w *actor) operate(ctx context.Context, q *Queue) {
	for w.pause(ctx, 1500) {
		service := [...]string{"plain", "ordered"}[w.own.IntN(2)]
		if w.own.IntN(2) == 0 {
			_, _ = q.Sweep(ctx, service, time.Now().Add(-time.Second), record.Death{Reason: "expired"})
			continue
		}
		w.replay(service)
		_, _ = q.Replay(ctx, record.Filter{Service: service}, nil)
	}
}

// replay forgets the end of what may be put back.
func (w *world) replay(service string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.buried {
		if strings.HasPrefix(id, service) {
			delete(w.finished, id)
		}
	}
}

// consume takes deliveries and ends each in one of the ways there are.
func (w *actor) consume(ctx context.Context, l *Lane) {
	for {
		entries, err := l.Next(ctx, 1+w.own.IntN(8))
		if err != nil {
			return
		}
		for _, e := range entries {
			w.handedOut(e)
		}
		for _, e := range entries {
			w.pause(ctx, 20)
			w.end(e)
		}
	}
}

func (w *world) handedOut(e *Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.alive {
		return
	}
	if e.Service != e.lane.name {
		w.errorf(e.ID, "came to %s", e.lane.name)
	}
	delete(w.buried, e.ID)
	w.again[e.ID] = w.again[e.ID] || e.Replayed
	if w.inFlight[e.ID] && !w.again[e.ID] {
		w.errorf(e.ID, "is handed out twice at a time")
	}
	if at, done := w.finished[e.ID]; done && !w.again[e.ID] {
		w.errorf(e.ID, "came again %v after it was finished", time.Since(at))
	}
	delete(w.finished, e.ID)
	delete(w.unsaved, e.ID)
	w.inFlight[e.ID] = true
	w.note(e.ID, fmt.Sprintf("handed out, seq %d, attempts %d", e.Seq, e.Attempts))
	if e.lane.name == "ordered" {
		if other := w.calls[e.Call]; other != "" && other != e.ID && !w.again[e.ID] && !w.again[other] {
			w.errorf(e.ID, "is handed out while %s of its call is: %v", other, w.story[other])
		}
		w.calls[e.Call] = e.ID
	}
}

// end ends an entry. What ends after a crash does not count.
func (w *actor) end(e *Entry) {
	w.mu.Lock()
	how := w.own.IntN(10)
	due := time.Duration(w.own.IntN(1500)) * time.Millisecond
	w.note(e.ID, fmt.Sprint("ends ", how, " alive ", w.alive))
	w.free(e)
	done := how < 6 || how == 9
	if w.alive && how < 6 {
		w.finished[e.ID] = time.Now()
	}
	w.mu.Unlock()
	var err error
	switch {
	case how < 6:
		e.Finish()
	case how == 6:
		e.Return()
	case how < 9:
		err = e.Park(Parking{Attempts: e.Attempts + 1, Due: time.Now().Add(due), Held: how == 8})
	default:
		err = e.Bury(record.Death{Reason: "rejected"})
	}
	if err != nil {
		w.mu.Lock()
		w.note(e.ID, fmt.Sprint("not stored: ", err))
		w.again[e.ID] = true // nobody knows: it may lie there all the same
		w.mu.Unlock()
		e.Return()
		return
	}
	if done && how == 9 {
		w.mu.Lock()
		if w.alive {
			w.finished[e.ID] = time.Now()
		}
		w.buried[e.ID] = true
		w.mu.Unlock()
	}
}

func (w *world) free(e *Entry) {
	if w.alive {
		delete(w.inFlight, e.ID)
		if w.calls[e.Call] == e.ID {
			delete(w.calls, e.Call)
		}
	}
}

// drain lets all come out, and finds what is missing.
func (w *world) drain(dir string) {
	w.fault.Freeze = 0
	q := w.open(dir)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	var work sync.WaitGroup
	for _, service := range []string{"plain", "ordered"} {
		l := q.Lane(service)
		l.SetOrdered(service == "ordered")
		work.Go(func() {
			for {
				l.Wake(WakeAll)
				quiet, stop := context.WithTimeout(ctx, 30*time.Second)
				entries, err := l.Next(quiet, 20)
				stop()
				if err != nil {
					return
				}
				for _, e := range entries {
					w.handedOut(e)
				}
				for _, e := range entries {
					w.mu.Lock()
					w.free(e)
					w.finished[e.ID] = time.Now()
					w.mu.Unlock()
					e.Finish()
				}
			}
		})
	}
	work.Wait()
	err := q.Letters(ctx, record.Filter{}, func(l record.Letter) bool {
		w.finished[l.ID] = time.Now()
		return true
	})
	if err != nil {
		w.errorf("", "read letters: %v", err)
	}
	for id := range w.acked {
		if w.finished[id].IsZero() && !w.unsaved[id] {
			w.errorf(id, "was acknowledged and is lost")
		}
	}
	for service, s := range q.Stats().Services {
		if s.Waiting+s.InFlight+s.Parked > 0 {
			w.errorf(service, "%+v is left", s)
		}
	}
	if err := q.Close(context.Background()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.errorf("", "close: %v", err)
	}
}
