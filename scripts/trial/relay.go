package trial

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"callrelay/queue/queuetest"
)

// T is the part of *testing.T that a trial needs, so that a benchmark program can run one too.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
	Context() context.Context
}

// Patience is how long [Relay.Until] waits before it gives up.
const Patience = 30 * time.Second

// logFile is where the process logs to: a file, as in service, so that a reader does not slow it.
const logFile = "relay.log"

// A Relay is a relay in a child process, in a folder of its own. Not safe for concurrent use, but for Dial and Accept.
type Relay struct {
	Dir    string   // the folder of relay.toml
	Admin  string   // host:port of the admin listener
	Env    []string // added to the environment of the process
	Wrap   []string // the command that becomes the process when the relay's own is added to it; nil: none
	t      T
	binary string
	place  queuetest.Place // of its records
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process has been waited for
}

// Start writes toml behind the head that every trial shares and starts the relay
// in a new folder. It returns when the relay is ready; the relay is killed and the
// folder removed when the trial ends.
func Start(t T, binary, toml string) *Relay {
	t.Helper()
	r := New(t, binary, toml)
	r.Start()
	return r
}

// New is [Start] without starting the process.
func New(t T, binary, toml string) *Relay {
	t.Helper()
	dir, err := os.MkdirTemp("", "trial") // short: a socket path has 104 bytes at most
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &Relay{Dir: dir, Admin: FreeAddress(t), t: t, binary: binary}
	r.place = queuetest.Cluster(t, dir)
	r.Configure(toml)
	return r
}

// Configure puts a new relay.toml in place, in one step, without telling the process.
func (r *Relay) Configure(toml string) {
	r.t.Helper()
	head := fmt.Sprintf("[intake]\nsocket = \"relay.sock\"\n[admin]\nsocket = \"admin.sock\"\nlisten = %q\n", r.Admin)
	if !strings.Contains(toml, "[queue]") { // the one that the tests are run with
		toml = "[queue]\ndir = \"queue\"\nlisten = \"\"\n" + toml
	}
	toml = r.place.Configure(toml)
	err := os.WriteFile(r.Path("relay.toml.new"), []byte(head+toml), 0o600)
	if err == nil {
		err = os.Rename(r.Path("relay.toml.new"), r.Path("relay.toml"))
	}
	if err != nil {
		r.t.Fatalf("%v", err)
	}
}

// Path returns the path of a name in the relay's folder.
func (r *Relay) Path(name string) string { return filepath.Join(r.Dir, name) }

// Start starts the process and waits until it is ready.
func (r *Relay) Start() {
	r.t.Helper()
	r.Launch()
	r.Until("the relay is ready", func() bool {
		select {
		case <-r.ended:
			r.t.Fatalf("the relay ended at start:\n%s", r.Log())
		default:
		}
		resp, err := http.Get("http://" + r.Admin + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// Launch starts the process and does not wait.
func (r *Relay) Launch() {
	r.t.Helper()
	log, err := os.Create(r.Path(logFile))
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	r.ended = make(chan struct{})
	line := append(slices.Clone(r.Wrap), r.binary, "run", "-c", r.Path("relay.toml"))
	r.cmd = exec.Command(line[0], line[1:]...)
	r.cmd.Env = append(os.Environ(), r.Env...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("%v", err)
	}
	cmd, ended := r.cmd, r.ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	r.t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
}

// Ended is closed when the process has ended.
func (r *Relay) Ended() <-chan struct{} { return r.ended }

// Pid returns the process id.
func (r *Relay) Pid() int { return r.cmd.Process.Pid }

// Log returns what the process has logged since it was started.
func (r *Relay) Log() string {
	text, err := os.ReadFile(r.Path(logFile))
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	return string(text)
}

// Kill ends the process as a crash does.
func (r *Relay) Kill() { r.end(syscall.SIGKILL) }

// Stop ends the process as a service manager does and returns its exit status.
func (r *Relay) Stop() int {
	r.end(syscall.SIGTERM)
	return r.cmd.ProcessState.ExitCode()
}

func (r *Relay) end(s os.Signal) {
	_ = r.cmd.Process.Signal(s)
	<-r.ended
}

// Hangup sends SIGHUP.
func (r *Relay) Hangup() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		r.t.Fatalf("%v", err)
	}
}

// Reload writes the configuration, sends SIGHUP, and returns when it is in force.
func (r *Relay) Reload(toml string) {
	r.t.Helper()
	before := r.Metric("relay_config_reload_timestamp_seconds")
	r.Configure(toml)
	r.Hangup()
	r.Until("the reload is done", func() bool {
		return r.Metric("relay_config_reload_timestamp_seconds") != before
	})
	if r.Metric("relay_config_reload_success") != "1" {
		r.t.Fatalf("reload refused:\n%s", r.Log())
	}
}

// Metric returns the value of one series as /metrics prints it, "" when it is not there.
func (r *Relay) Metric(series string) string {
	r.t.Helper()
	for line := range strings.Lines(r.Page("/metrics")) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Page returns the body of a path of the admin listener.
func (r *Relay) Page(path string) string {
	r.t.Helper()
	resp, err := http.Get("http://" + r.Admin + path)
	if err != nil {
		r.t.Fatalf("%v", err)
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	return string(body)
}

// Run runs a relay command on the same configuration and returns what it printed and its exit status.
func (r *Relay) Run(args ...string) (string, int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, append(args, "-c", r.Path("relay.toml"))...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.t.Fatalf("%v", err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// Until waits for a condition, at most [Patience].
func (r *Relay) Until(what string, done func() bool) {
	r.t.Helper()
	deadline := time.After(Patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			text := r.Log()
			r.t.Fatalf("waited in vain: %s\n%s", what, text[max(0, len(text)-4000):])
		}
	}
}

// FreeAddress returns a loopback address that nobody listens on.
func FreeAddress(t T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer l.Close() //nolint:errcheck // it only named a port
	return l.Addr().String()
}
