package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the relay under test, built once by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "relay-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "relay")
	build := exec.Command("go", "build", "-o", binary, "callrelay/relay")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build relay: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A relay is a running child process and its folder.
type relay struct {
	t     testing.TB
	dir   string
	admin string // host:port of the admin listener
	cmd   *exec.Cmd
	log   *syncBuffer
	ended chan struct{} // closed when the process has been waited for
}

// startRelay writes toml behind the head that every test shares, and starts the relay
// in a folder of its own. It returns when the relay is ready.
func startRelay(t testing.TB, toml string) *relay {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e") // short: a socket path has 104 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &relay{t: t, dir: dir, admin: freeAddress(t)}
	r.configure(toml)
	r.start()
	t.Cleanup(r.kill)
	return r
}

// configure writes relay.toml without telling the process.
func (r *relay) configure(toml string) {
	r.t.Helper()
	head := fmt.Sprintf("[intake]\nsocket = \"relay.sock\"\n[queue]\ndir = \"queue\"\nlisten = \"\"\n[admin]\nsocket = \"admin.sock\"\nlisten = %q\n", r.admin)
	r.write("relay.toml", head+toml)
}

func (r *relay) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *relay) start() {
	r.t.Helper()
	r.log = &syncBuffer{}
	r.ended = make(chan struct{})
	r.cmd = exec.Command(binary, "run", "-c", filepath.Join(r.dir, "relay.toml"))
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.ended)
	}()
	r.until("the relay is ready", func() bool {
		select {
		case <-r.ended:
			r.t.Fatalf("relay ended at start:\n%s", r.log)
		default:
		}
		resp, err := http.Get("http://" + r.admin + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// kill ends the process as a crash does.
func (r *relay) kill() { r.end(syscall.SIGKILL) }

// stop ends the process as a service manager does and returns its exit status.
func (r *relay) stop() int {
	r.end(syscall.SIGTERM)
	return r.cmd.ProcessState.ExitCode()
}

func (r *relay) end(s os.Signal) {
	_ = r.cmd.Process.Signal(s)
	<-r.ended
}

// reload writes the configuration, sends SIGHUP, and returns when it is in force.
func (r *relay) reload(toml string) {
	r.t.Helper()
	before := r.metric("relay_config_reload_timestamp_seconds")
	r.configure(toml)
	r.hangup()
	r.until("the reload is done", func() bool {
		return r.metric("relay_config_reload_timestamp_seconds") != before
	})
	if r.metric("relay_config_reload_success") != "1" {
		r.t.Fatalf("reload refused:\n%s", r.log)
	}
}

func (r *relay) hangup() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		r.t.Fatal(err)
	}
}

// metric returns the value of one series as /metrics prints it, "" when it is not there.
func (r *relay) metric(series string) string {
	r.t.Helper()
	for line := range strings.Lines(r.page("/metrics")) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// page returns the body of a path of the admin listener.
func (r *relay) page(path string) string {
	r.t.Helper()
	resp, err := http.Get("http://" + r.admin + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		r.t.Fatal(err)
	}
	return body.String()
}

// run runs a relay command on the same configuration and returns what it printed and its exit status.
func (r *relay) run(args ...string) (string, int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(args, "-c", filepath.Join(r.dir, "relay.toml"))...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// until waits for a condition, at most half a minute.
func (r *relay) until(what string, done func() bool) {
	r.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("waited in vain: %s\n%s", what, r.log.tail())
		}
	}
}

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A syncBuffer is a bytes.Buffer for a process that writes while a test reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// tail is the end of the log: enough to see why a test failed.
func (b *syncBuffer) tail() string {
	s := b.String()
	return s[max(0, len(s)-4000):]
}
