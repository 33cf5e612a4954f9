package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"callrelay/queue/queuetest"
	"callrelay/relay/web"
)

const quiet = "[queue]\nlisten = \"\"\n[admin]\nlisten = \"\"\n"

// logged is what a relay wrote to its log.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// TestServeIsTheProcess runs a relay as a service manager does: it reloads at
// SIGHUP, and ends without an error when it is stopped.
func TestServeIsTheProcess(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "1GiB") // or the tests after this one would have a limit
	path := writeConfig(t, quiet)
	var log logged
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, path, "1.2", &log) }()
	await(t, "it has started", func() bool { return log.has("relay started") })
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, "it has reloaded", func() bool { return log.has("config reloaded") })
	if err := Serve(t.Context(), path, "1.2", &log); err == nil {
		t.Error("another relay runs in the same folder")
	}
	stop()
	if err := <-ended; err != nil || !log.has("relay stopped") {
		t.Errorf("stopped: %v", err)
	}
	if err := Serve(ctx, path, "1.2", &log); err != nil {
		t.Errorf("stopped while it started: %v", err)
	}
	if err := Serve(t.Context(), writeConfig(t, "nonsense = 1"), "1.2", &log); !errors.As(err, new(Problems)) {
		t.Errorf("a configuration with a problem: %v", err)
	}
}

// TestStartThatFailsSaysWhy puts something in the way of each part.
func TestStartThatFailsSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, test := range []struct{ name, config, err string }{
		{"intake", quiet + "[intake]\nlisten = \"TAKEN\"\ntoken = \"0123456789abcdef\"\n", "address already in use"},
		{"admin", "[queue]\nlisten = \"\"\n[admin]\nlisten = \"TAKEN\"\n", "address already in use"},
		{"recordings", quiet + "[recordings]\nlisten = \"TAKEN\"\nkeys = [{ id = \"k\", secret = \"0123456789abcdef0123456789abcdef\" }]\n", "address already in use"},
		{"admin socket", "[queue]\nlisten = \"\"\n[admin]\nlisten = \"\"\nsocket = \"relay.toml\"\n", "relay.toml"},
		{"queue", "[queue]\ndir = \"relay.toml\"\nlisten = \"\"\n[admin]\nlisten = \"\"\n", "relay.toml"},
	} {
		path := writeConfig(t, strings.ReplaceAll(test.config, "TAKEN", taken.Addr().String()))
		if err := Serve(t.Context(), path, "", new(logged)); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.name, err, test.err)
		}
	}
}

// serviceManager is what listens where a service manager does.
func serviceManager(t *testing.T) (said func(state string)) {
	t.Helper()
	path := filepath.Join(filepath.Dir(writeConfig(t, "")), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	text := make([]byte, 4096)
	return func(state string) {
		t.Helper()
		_ = socket.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			n, err := socket.Read(text)
			if err != nil {
				t.Fatalf("was never notified of %s: %v", state, err)
			}
			if strings.Contains(string(text[:n]), state) {
				return
			}
		}
	}
}

// TestTheServiceManagerIsNotified of what the relay does, and that it lives.
func TestTheServiceManagerIsNotified(t *testing.T) {
	said := serviceManager(t)
	t.Setenv("WATCHDOG_USEC", "60000")
	t.Run("a relay", func(t *testing.T) {
		p := running(t, quiet)
		said("READY=1")
		said("WATCHDOG=1")
		said("WATCHDOG=1")
		p.reload()
		said("RELOADING=1\nMONOTONIC_USEC=")
		said("READY=1")
	})
	said("STOPPING=1")
}

// TestOneSocketIsInherited, the intake's; another number is a mistake in the unit.
func TestOneSocketIsInherited(t *testing.T) {
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	for _, n := range []string{"0", "x"} {
		t.Setenv("LISTEN_FDS", n)
		if l, err := inheritedListener(); l != nil || err != nil {
			t.Errorf("%s sockets: %v, %v", n, l, err)
		}
	}
}

// TestAnEdgeShowsItsHub, which is away, in the status and among the metrics.
func TestAnEdgeShowsItsHub(t *testing.T) {
	queuetest.NeedsFolder(t)
	p := running(t, quiet+"[queue.hub]\nurls = [\"nats-leaf://127.0.0.1:1\"]\ncredentials = \"a:b\"\ndomain = \"berlin\"\n")
	if h := (operator{p}).status().Hub; h == nil || h.Edge != "berlin" || h.Linked {
		t.Errorf("the status has %+v", h)
	}
	scrape := httptest.NewRecorder()
	web.MetricsHandler(p.registry, p.deliver.AppendMetrics).ServeHTTP(scrape, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(scrape.Body.String(), "\nrelay_hub_linked 0\n") {
		t.Errorf("the scrape lacks relay_hub_linked:\n%s", scrape.Body)
	}
}

// TestARecordingIsWaitedForAndReported holds what package recordings says to what
// package deliver asks: a delivery waits, goes out without it, and the completion is
// raised.
func TestARecordingIsWaitedForAndReported(t *testing.T) {
	bodies := make(chan string, 10)
	url := receiver(t, bodies)
	p := running(t, quiet+fmt.Sprintf(`[intake]
socket = "in.sock"
[recordings]
listen = ""
dir = "rec"
wait = "50ms"
keys = [{ id = "k", secret = "0123456789abcdef0123456789abcdef" }]
agent_perspective = true
[[service]]
name = "crm"
url = %q
text = "#event# #recording_state# #recording_bytes# #sess_agent_perspective_recording_url|last:3#"
[[service]]
name = "store"
url = %q
file = "#recording_file#"
[[binding]]
event = ["agent_termination", "recording_available"]
service = "crm"
[[binding]]
event = "recording_available"
service = "store"
`, url, url))
	post(t, p, `{"event":"agent_termination","uii":"c1","recording":"a.wav","agent_perspective_recording":"b.wav"}`)
	if got := <-bodies; !strings.HasPrefix(got, "agent_termination missing  ") {
		t.Errorf("without the recording: %q", got)
	}
	dir := filepath.Join(filepath.Dir(p.path), "rec")
	wav := "RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x08\x00\x00\x0012345678"
	if err := os.WriteFile(filepath.Join(dir, "a.wav"), []byte(wav), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 2 {
		body := <-bodies
		if rest, ok := strings.CutPrefix(body, "recording_available ready 52 "); ok && len(rest) == 3 { // of a signature
			body = "available"
		}
		seen[body] = true
	}
	if !seen[wav] || !seen["available"] {
		t.Errorf("with the recording: %v", seen)
	}
}

// receiver is an endpoint that passes on the bodies it is sent.
func receiver(t *testing.T, bodies chan<- string) (url string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		_ = r.Write(&b)
		_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
		bodies <- body
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// post has the relay accept an event.
func post(t *testing.T, p *Daemon, event string) {
	t.Helper()
	for _, err := range p.acceptAll(t.Context(), [][]byte{[]byte(event)}) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestARelayIsFoundByItsFolder for commands whose configuration is another one by
// now, until a restore makes the folder another relay's.
func TestARelayIsFoundByItsFolder(t *testing.T) {
	p := running(t, quiet)
	dir := filepath.Join(filepath.Dir(p.path), "run", "queue")
	want := Sockets{Admin: filepath.Join(filepath.Dir(p.path), "run", "admin.sock"), Intake: filepath.Join(filepath.Dir(p.path), "run", "relay.sock")}
	if got := RunningSockets(dir); got != want {
		t.Errorf("it is served at %+v, want %+v", got, want)
	}
	for range 2 { // once is enough, and twice no fault
		if err := ForgetSockets(dir); err != nil || RunningSockets(dir) != (Sockets{}) {
			t.Errorf("forgotten: %v, %+v", err, RunningSockets(dir))
		}
	}
}

// TestWhatWaitsForARemovedServiceIsDropped, and becomes dead letters.
func TestWhatWaitsForARemovedServiceIsDropped(t *testing.T) {
	service := "[[service]]\nname = \"crm\"\nurl = \"http://127.0.0.1:1\"\ntext = \"x\"\nretry_schedule = [\"1h\"]\n[[binding]]\nevent = \"call_end\"\nservice = \"crm\"\n"
	p := running(t, quiet+service)
	post(t, p, `{"event":"call_end"}`)
	await(t, "it waits for another attempt", func() bool { return operator{p}.status().Services[0].Retrying == 1 })
	rewrite(t, p.path, quiet)
	if r := p.reload(); !r.Success {
		t.Fatal(r.Problems)
	}
	await(t, "it is dropped", func() bool {
		n, err := operator{p}.change(t.Context(), "crm", web.Drop, "")
		return n == 1 && err == nil
	})
	await(t, "it is a dead letter", func() bool { return operator{p}.status().Gone["crm"]["removed"] == 1 })
	if _, err := (operator{p}).resend(t.Context(), web.Filter{Service: "crm"}, true, func(int) {}); err == nil {
		t.Error("a service that is no more is sent something")
	}
}
