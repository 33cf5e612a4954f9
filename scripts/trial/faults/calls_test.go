package faults

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

// callServices finish, keep the order of their calls through retries, and are
// refused: so each stream is written and trimmed.
const callServices = `[queue]
dir = %q
listen = ""
max_bytes = "16MiB"
dead_max_bytes = "64MiB"
keep = "1s"
[defaults.breaker]
failures = 10000
minimum = 10000
[[service]]
name = "good"
url = "%[2]s/good"
json = '{"n":"#n#"}'
[[binding]]
event = "x_good"
service = "good"
[[service]]
name = "calls"
url = "%[2]s/calls"
json = '{"n":"#n#"}'
order = "call"
retry_schedule = ["100ms"]
[[binding]]
event = "x_calls"
service = "calls"
[[service]]
name = "bad"
url = "%[2]s/bad"
json = '{"n":"#n#"}'
[[binding]]
event = "x_bad"
service = "bad"
`

const (
	callLoad  = 15 * time.Second // at most, until the nth call
	callBurst = time.Second      // how long calls fail when it is not one alone
	healTime  = 15 * time.Second
	startTime = 2 * time.Minute // the disk may be busy with others
	lossTime  = 30 * time.Second
)

// TestOneFailedCallLosesNothing fails one write, sync, rename or unlink of the
// queue's folder at a time, or all of one kind for a second, from the nth since
// the process began on. What was acknowledged has to arrive or be a dead letter,
// what was not to be refused as such, and the relay to take events again by
// itself, or after a restart as the service manager makes it.
func TestOneFailedCallLosesNothing(t *testing.T) {
	queuetest.NeedsFolder(t)
	if os.Getenv("FAULTS") == "" {
		t.Skip("FAULTS is not set: no call was made to fail")
	}
	if why := canJudge(); why != "" {
		t.Skip(why)
	}
	var table strings.Builder
	for _, kind := range []string{"write", "sync", "rename", "unlink"} {
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			for _, lasts := range spans() {
				s := &series{t: t, kind: kind, errno: errno, lasts: lasts}
				s.run()
				fmt.Fprintf(&table, "%s\n", s)
			}
		}
	}
	t.Logf("\n%s", table.String())
}

// spans are how long the calls of a kind fail; 0: one call alone.
func spans() []time.Duration {
	all := []time.Duration{0, callBurst}
	if size(0, 1) == 0 {
		return all[rand.IntN(2):][:1]
	}
	return all
}

// numbers are the calls to fail, or the first of those that do.
func numbers(lasts time.Duration) []int {
	if size(0, 1) == 0 {
		return []int{1 + rand.IntN(200)}
	}
	var all []int
	for n := 1; n <= 200; n++ {
		if n <= 5 || n%10 == 0 || lasts == 0 && (n <= 40 || n%5 == 0) {
			all = append(all, n)
		}
	}
	return all
}

// A series is the rounds of one kind of failure, half of them in a new folder and
// half in one that has lived through those before.
type series struct {
	t     *testing.T
	kind  string
	errno syscall.Errno
	lasts time.Duration
	old   *trial.Relay
	oldAt *trial.Receiver

	rounds, never, atStart, healed, restarted, acked, refused int
	slowest                                                   time.Duration // to heal
	slowestAnswer                                             time.Duration // to a batch, with acceptances and refusals
}

// String is a line of the table.
func (s *series) String() string {
	return fmt.Sprintf("%-6s %-6s for %-4v %3d rounds: %3d not reached, %3d ended the start, %3d healed (slowest %5v), %3d by a restart; %6d acknowledged, %4d refused, slowest answer %5v, 0 lost",
		s.kind, errnoName(s.errno), s.lasts, s.rounds, s.never, s.atStart, s.healed, s.slowest.Round(10*time.Millisecond), s.restarted, s.acked, s.refused, s.slowestAnswer.Round(10*time.Millisecond))
}

func errnoName(e syscall.Errno) string {
	return map[syscall.Errno]string{syscall.EIO: "EIO", syscall.ENOSPC: "ENOSPC"}[e]
}

func (s *series) run() {
	for _, n := range numbers(s.lasts) {
		name := fmt.Sprintf("%s %s at %d for %v", s.kind, errnoName(s.errno), n, s.lasts)
		if !s.t.Run(name, func(t *testing.T) { s.round(t, n) }) {
			s.old = nil // it may be beyond repair
		}
	}
}

// relay returns the one of a round, and its endpoint.
func (s *series) relay(t *testing.T, n int) (*trial.Relay, *trial.Receiver) {
	if n%2 == 1 && s.old != nil {
		return s.old, s.oldAt
	}
	owner := t
	if n%2 == 1 {
		owner = s.t // it is used by later rounds
	}
	r, at := newCalls(owner, "")
	if n%2 == 1 {
		s.old, s.oldAt = r, at
	}
	return r, at
}

// newCalls returns a relay, not started, and its endpoint. Without a folder its
// queue is in its own.
func newCalls(t *testing.T, dir string) (*trial.Relay, *trial.Receiver) {
	at := trial.NewReceiver(t)
	at.Answer(func(w http.ResponseWriter, q *http.Request) {
		switch {
		case q.URL.Path == "/bad":
			w.WriteHeader(http.StatusBadRequest)
		case q.URL.Path == "/calls" && q.Header.Get("Relay-Attempt") == "1" && rand.IntN(5) == 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r := trial.New(t, binary, "")
	r.Configure(fmt.Sprintf(callServices, filepath.Join(cmp.Or(dir, r.Dir), "queue"), at.URL))
	return r, at
}

func (s *series) round(t *testing.T, n int) {
	s.rounds++
	r, at := s.relay(t, n)
	j := &judge{dir: r.Path("queue"), kind: s.kind, nth: n, errno: s.errno, lasts: s.lasts, socket: filepath.Join(r.Dir, "judge.sock")}
	j.launch(t, r)
	w := &callWork{r: r, began: time.Now().Add(-time.Second), prefix: fmt.Sprintf("%s-%d-%d-%v-%d", s.kind, s.errno, n, s.lasts, rand.IntN(1_000_000)), accepted: map[string]bool{}}
	started := w.answers(r.Ended(), startTime)
	if !started && !ended(r) {
		t.Fatalf("neither ready nor ended after %v: %s\n%s", startTime, j.what, tail(r))
	}
	if started {
		w.loadUntil(j)
	}
	s.outcome(t, j, r, w, started)
	w.load()
	w.settle(t, at)
	s.slowestAnswer = max(s.slowestAnswer, w.slowest)
	s.acked += len(w.accepted)
	s.refused += w.refused
	if len(w.dishonest) > 0 {
		t.Errorf("refused in another way than 503: %v", w.dishonest)
	}
	if status := r.Stop(); status != 0 {
		t.Errorf("ended with %d\n%s", status, tail(r))
	}
	if j.err != nil {
		t.Errorf("judge: %v", j.err)
	}
}

// outcome counts how the relay came to take events again after the failure.
func (s *series) outcome(t *testing.T, j *judge, r *trial.Relay, w *callWork, started bool) {
	t.Helper()
	began := time.Now()
	switch {
	case !j.fired():
		s.never++
		return
	case !started:
		s.atStart++
	case w.answers(r.Ended(), healTime):
		s.healed++
		s.slowest = max(s.slowest, time.Since(began))
		if rand.IntN(2) == 0 {
			return
		}
		r.Kill() // what it believes now has to be true after a crash
	default:
		s.restarted++
		t.Logf("does not heal by itself after %s: %s", j.what, tail(r))
		r.Stop()
	}
	r.Launch()
	if !w.answers(r.Ended(), startTime) {
		t.Fatalf("takes no events after a restart; failed was %s\n%s", j.what, tail(r))
	}
}

func ended(r *trial.Relay) bool {
	select {
	case <-r.Ended():
		return true
	default:
		return false
	}
}

func tail(r *trial.Relay) string {
	text := r.Log()
	return text[max(0, len(text)-3000):]
}

// callWork sends events and knows what became of them.
type callWork struct {
	r         *trial.Relay
	prefix    string
	began     time.Time
	sent      int
	accepted  map[string]bool // by service/id
	refused   int
	slowest   time.Duration // to answer
	dishonest []string
}

// load sends a batch of events of 8 KiB; while the relay is away, it waits a little.
func (w *callWork) load() {
	if !w.send(1 + rand.IntN(40)) {
		<-time.After(50 * time.Millisecond)
	}
}

// loadUntil sends until a call was made to fail, and while the relay heals.
func (w *callWork) loadUntil(j *judge) {
	for deadline := time.Now().Add(callLoad); time.Now().Before(deadline) && !j.fired() && !ended(w.r); {
		w.load()
	}
	for range 3 {
		w.load()
	}
}

// send reports whether all was accepted.
func (w *callWork) send(n int) bool {
	c, err := w.r.Dial()
	if err != nil {
		return false
	}
	defer c.Close() //nolint:errcheck // what was answered counts
	_ = c.SetDeadline(time.Now().Add(healTime))
	services := []string{"good", "good", "good", "calls", "calls", "bad"}
	batch, keys := make([]string, n), make([]string, n)
	for i := range batch {
		service := services[w.sent%len(services)]
		id := fmt.Sprintf("%s-%d", w.prefix, w.sent)
		w.sent++
		keys[i] = service + "/" + id
		batch[i] = fmt.Sprintf(`{"event":"x_%s","id":%q,"uii":"call-%d","n":1,"pad":"%s"}`, service, id, rand.IntN(10), strings.Repeat("p", 8<<10))
	}
	asked := time.Now()
	replies, err := c.Send(batch...)
	w.slowest = max(w.slowest, time.Since(asked))
	all := err == nil
	for i, a := range replies {
		switch {
		case a.Accepted:
			w.accepted[keys[i]] = true
		case a.Status == http.StatusServiceUnavailable && a.RetryAfter > 0:
			w.refused++
			all = false
		default:
			w.dishonest = append(w.dishonest, fmt.Sprintf("%+v", a))
			all = false
		}
	}
	return all
}

// answers waits until an event is accepted.
func (w *callWork) answers(gone <-chan struct{}, patience time.Duration) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !w.send(1); {
		select {
		case <-tick.C:
		case <-gone:
			return false
		case <-deadline:
			return false
		}
	}
	return true
}

// settle waits until all that was accepted has arrived or is a dead letter.
func (w *callWork) settle(t *testing.T, at *trial.Receiver) {
	t.Helper()
	var lost []string
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(lossTime); ; {
		got := at.Counts()
		lost = nil
		for key := range w.accepted {
			if service, id, _ := strings.Cut(key, "/"); service != "bad" && got[id] == 0 {
				lost = append(lost, key)
			}
		}
		if len(lost) == 0 {
			dead := letters(t, w.r, "--service", "bad", "--since", time.Since(w.began).Round(time.Second).String())
			for key := range w.accepted {
				if service, id, _ := strings.Cut(key, "/"); service == "bad" && !dead[service][id] {
					lost = append(lost, key)
				}
			}
		}
		if len(lost) == 0 {
			return
		}
		select {
		case <-tick.C:
			continue
		case <-deadline:
		}
		t.Fatalf("%d of %d acknowledged are lost: %v\n%s", len(lost), len(w.accepted), lost[:min(len(lost), 10)], tail(w.r))
	}
}
