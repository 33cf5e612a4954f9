package faults

import (
	"bufio"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

// nightServices has an endpoint of each kind. The queue is so small that what is
// finished is trimmed all the time, around what one of them never takes.
const nightServices = `[queue]
dir = %q
listen = ""
max_bytes = "16MiB"
dead_max_bytes = "64MiB"
keep = "1s"
[defaults]
timeout = "5s"
[defaults.breaker]
failures = 10000
minimum = 10000
`

// night is a relay whose endpoints succeed, fail for a while, refuse, or are stuck.
type night struct {
	t    *testing.T
	r    *trial.Relay
	at   map[string]*trial.Receiver // by service
	book map[string]*ledger         // likewise
	free atomic.Bool                // the stuck one takes what waits
	said []string                   // what the relay held at each start, and warned of
}

func newNight(t *testing.T, dir string) *night {
	n := &night{t: t, at: map[string]*trial.Receiver{}, book: map[string]*ledger{}}
	toml := fmt.Sprintf(nightServices, filepath.Join(dir, "queue"))
	for name, more := range map[string]string{
		"good":  "",
		"calls": "order = \"call\"",
		"flaky": "retry_schedule = [\"50ms\", \"11s\"]", // the second is parked
		"bad":   "",
		"stuck": "retry_schedule = [\"12s\"]",
	} {
		n.at[name], n.book[name] = trial.NewReceiver(t), &ledger{}
		toml += fmt.Sprintf("[[service]]\nname = %q\nurl = %q\njson = '{\"n\":\"#n#\"}'\n%s\n[[binding]]\nevent = \"x_%s\"\nservice = %q\n",
			name, n.at[name].URL, more, name, name)
	}
	n.at["flaky"].Answer(func(w http.ResponseWriter, q *http.Request) {
		if attempt := q.Header.Get("Relay-Attempt"); !n.free.Load() && (attempt == "1" || attempt == "2" && rand.IntN(4) == 0) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	n.at["bad"].AnswerStatus(http.StatusBadRequest)
	n.at["stuck"].Answer(func(w http.ResponseWriter, _ *http.Request) {
		if !n.free.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	n.r = trial.New(t, binary, toml)
	return n
}

// load sends events of 8 KiB over some connections until the relay is gone.
func (n *night) load(prefix string) (wait func()) {
	var done []func()
	for s := range 4 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			n.send(fmt.Sprintf("%s-%d", prefix, s))
		}()
		done = append(done, func() { <-ended })
	}
	return func() {
		for _, wait := range done {
			wait()
		}
	}
}

func (n *night) send(prefix string) {
	c, err := n.r.Dial()
	if err != nil {
		return // the relay is gone
	}
	defer c.Close() //nolint:errcheck // what was answered is in the ledger
	services := slices.Concat(slices.Repeat([]string{"good"}, 30), slices.Repeat([]string{"calls"}, 10), slices.Repeat([]string{"flaky"}, 4), []string{"bad", "stuck"})
	for i := 0; ; i++ {
		batch, names := make([]string, 1+rand.IntN(30)), []string(nil)
		for j := range batch {
			name := services[rand.IntN(len(services))]
			names = append(names, name)
			batch[j] = fmt.Sprintf(`{"event":"x_%s","id":"%s-%s-%d-%d","uii":"call-%d","n":1,"pad":"%s"}`,
				name, name, prefix, i, j, rand.IntN(50), strings.Repeat("p", 8<<10))
		}
		replies, err := c.Send(batch...)
		for j, a := range replies {
			n.book[names[j]].add([]trial.Reply{a})
		}
		if err != nil {
			return
		}
	}
}

// settle frees the stuck endpoint and waits until all that was acknowledged has
// arrived or is a dead letter.
func (n *night) settle(cuts int) {
	n.t.Helper()
	n.free.Store(true)
	missing := func() (lost []string, acked, again int) {
		dead := letters(n.t, n.r)
		for _, name := range slices.Sorted(maps.Keys(n.book)) {
			got := n.at[name].Counts()
			for _, id := range n.book[name].ids() {
				acked++
				again += max(got[id]-1, 0)
				if got[id] == 0 && !dead[name][id] {
					lost = append(lost, id)
				}
			}
		}
		return lost, acked, again
	}
	var lost []string
	var acked, again int
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * time.Minute); ; {
		if lost, acked, again = missing(); len(lost) == 0 {
			break
		}
		select {
		case <-tick.C:
			continue
		case <-deadline:
		}
		n.t.Fatalf("%d of %d acknowledged are lost: %v\n%s", len(lost), acked, lost[:min(len(lost), 10)], strings.Join(n.said, "\n"))
	}
	n.t.Logf("%d cuts, %d acknowledged, %d of them came again, 0 lost", cuts, acked, again)
	if again > 400*cuts { // those in flight, and those finished since the floors were saved
		n.t.Errorf("%d came again in %d cuts", again, cuts)
	}
}

func (n *night) start() {
	began := time.Now()
	n.r.Start()
	if took := time.Since(began); took > 20*time.Second {
		n.t.Errorf("the relay took %v to start", took)
	}
	n.said = append(n.said, fmt.Sprintf("start after %v: %s bytes, pending: stuck %s, flaky %s, good %s, calls %s, dead letters of bad %s, lost %s", time.Since(began).Round(time.Millisecond),
		n.r.Metric("relay_queue_bytes"), n.r.Metric(`relay_pending{service="stuck"}`), n.r.Metric(`relay_pending{service="flaky"}`), n.r.Metric(`relay_pending{service="good"}`),
		n.r.Metric(`relay_pending{service="calls"}`), n.r.Metric(`relay_dead_letters{reason="rejected",service="bad"}`), n.r.Metric("relay_queue_lost_records")))
}

// kill ends the relay and keeps what it warned of.
func (n *night) kill() {
	n.r.Kill()
	for line := range strings.Lines(n.r.Log()) {
		if (strings.Contains(line, `"WARN"`) || strings.Contains(line, `"ERROR"`)) && !strings.Contains(line, "attempt failed") && !strings.Contains(line, "delivery dead") && !strings.Contains(line, "configuration warning") {
			n.said = append(n.said, line[:min(len(line), 300)])
		}
	}
}

func TestPowerCutsLoseNothingAcknowledged(t *testing.T) {
	queuetest.NeedsFolder(t)
	tool := powerfs(t)
	for _, mode := range [][]string{{"-meta", "ordered"}, {"-meta", "strict", "-torn"}, {"-meta", "ordered", "-torn"}, {"-meta", "strict"}} {
		t.Run(strings.Join(mode, " "), func(t *testing.T) { cutPower(t, tool, mode, size(2, 50)) })
	}
}

// powerfs returns the filesystem that forgets what was not synced, which is built
// where its source is beside the repository, and skips the test where there is none.
func powerfs(t *testing.T) string {
	if tool := os.Getenv("FAULTS_POWERFS"); tool != "" {
		return tool
	}
	if os.Getenv("FAULTS") == "" {
		t.Skip("FAULTS is not set: no power was cut")
	}
	root, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	source := filepath.Join(strings.TrimSpace(string(root)), "..", "shared", "tools", "powerfs")
	if _, missing := os.Stat(source); err != nil || missing != nil {
		t.Skip("no powerfs beside the repository: no power was cut")
	}
	if _, err := exec.LookPath("fusermount3"); err != nil {
		t.Skip("no fusermount3 (apt-get install fuse3): no power was cut")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("no /dev/fuse: no power was cut")
	}
	tool := filepath.Join(t.TempDir(), "powerfs")
	build := exec.Command("go", "build", "-o", tool, ".")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build powerfs: %v\n%s", err, out)
	}
	return tool
}

// cutPower crashes the filesystem below a loaded relay again and again, in one
// folder, and counts what arrives in the end.
func cutPower(t *testing.T, tool string, mode []string, cuts int) {
	base := t.TempDir()
	backing, mount := filepath.Join(base, "durable"), filepath.Join(base, "mnt")
	for _, dir := range []string{backing, mount} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	n := newNight(t, mount)
	for cut := range cuts {
		power := powerOn(t, tool, backing, mount, mode)
		n.start()
		wait := n.load(fmt.Sprintf("cut%d", cut))
		<-time.After(time.Duration(300+rand.IntN(2500)) * time.Millisecond)
		if err := power.Process.Signal(syscall.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		_ = power.Wait()
		n.kill()
		wait()
	}
	power := powerOn(t, tool, backing, mount, mode)
	n.start()
	n.settle(cuts)
	n.r.Stop()
	_ = power.Process.Signal(syscall.SIGTERM)
	_ = power.Wait()
}

// TestKillsLoseNothingAcknowledged kills the relay itself in that night.
func TestKillsLoseNothingAcknowledged(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("FAULTS is not set: what is parked comes due too late for a quick test")
	}
	n := newNight(t, t.TempDir())
	cuts := size(2, 100)
	for cut := range cuts {
		n.start()
		wait := n.load(fmt.Sprintf("kill%d", cut))
		<-time.After(time.Duration(200+rand.IntN(1500)) * time.Millisecond)
		n.kill()
		wait()
	}
	n.start()
	n.settle(cuts)
}

// powerOn mounts what is durable and returns the process that serves it.
func powerOn(t *testing.T, tool, backing, mount string, mode []string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(tool, append([]string{"-backing", backing, "-mount", mount}, mode...)...)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = syscall.Unmount(mount, syscall.MNT_DETACH) })
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "serving") {
		t.Fatalf("%s: %q %v", tool, line, err)
	}
	return cmd
}
