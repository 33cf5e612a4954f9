package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
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
	"callrelay/relay/daemon"
	"callrelay/relay/web"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// eventually waits until done returns true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// endpoint is a receiver whose answer can be changed.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	bodies []string
	ids    []string
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{status: http.StatusOK}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.status == http.StatusOK {
			e.bodies = append(e.bodies, string(body))
			e.ids = append(e.ids, r.Header.Get("Webhook-Id"))
		}
		w.WriteHeader(e.status)
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) answer(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

func (e *endpoint) taken() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.bodies...)
}

// relayUnderTest is a relay that runs as `relay run` runs it.
type relayUnderTest struct {
	t      *testing.T
	path   string
	hangup chan os.Signal
	stop   func() error
	client *web.Client
}

func startRelay(t *testing.T, config string) *relayUnderTest {
	t.Helper()
	r := &relayUnderTest{t: t, path: writeQueued(t, config), hangup: make(chan os.Signal, 1)}
	r.client = web.NewClient(filepath.Join(filepath.Dir(r.path), "run", "admin.sock"), nil)
	r.start()
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("relay stopped: %v", err)
		}
	})
	return r
}

// configure puts another configuration in place of the relay's.
func (r *relayUnderTest) configure(config string) {
	r.t.Helper()
	writeFile(r.t, r.path, queuetest.Site(r.path).Configure(config))
}

// writeQueued writes a configuration whose queue is where the tests are run
// with.
func writeQueued(t *testing.T, config string) string {
	t.Helper()
	path := writeConfig(t, config)
	writeFile(t, path, queuetest.Cluster(t, path).Configure(config))
	return path
}

func (r *relayUnderTest) start() {
	r.t.Helper()
	p, err := daemon.New(r.t.Context(), daemon.Options{Config: r.path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx, r.hangup) }()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
}

func (r *relayUnderTest) send(event string) {
	r.t.Helper()
	if got := command(r.t, event, "send", "-c", r.path); got.status != 0 {
		r.t.Fatalf("send: %s", got.err)
	}
}

func (r *relayUnderTest) status() web.Status {
	r.t.Helper()
	st, err := r.client.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return st
}

func (r *relayUnderTest) service(name string) web.Service {
	r.t.Helper()
	for _, s := range r.status().Services {
		if s.Name == name {
			return s
		}
	}
	return web.Service{}
}

// configFor is a configuration with one service, without listeners.
func configFor(service, url string) string {
	return fmt.Sprintf(`
[queue]
listen = ""
[admin]
listen = ""
[[service]]
name = %[1]q
url = %[2]q
text = "#agent_id#"
retry_schedule = ["50ms"]
breaker = { open = "100ms", max_open = "200ms" }
[[binding]]
event = "agent_termination"
service = %[1]q
`, service, url)
}

func TestRelayDelivers(t *testing.T) {
	e := newEndpoint(t)
	r := startRelay(t, configFor("crm", e.URL))
	r.send(`[{"event":"agent_termination","agent_id":1},{"event":"call_end"}]
`)
	r.send(`{"event":"agent_termination","agent_id":2}
{"event":"agent_termination","agent_id":3}`)
	eventually(t, "three deliveries", func() bool { return len(e.taken()) == 3 })
	if st := r.status(); !st.Healthy || !st.Ready || !st.Config.Success {
		t.Errorf("status = %+v", st)
	}
}

func TestRelayHoldsWhatARestartFinds(t *testing.T) {
	e := newEndpoint(t)
	e.answer(http.StatusServiceUnavailable)
	r := startRelay(t, configFor("crm", e.URL))
	for i := range 20 {
		r.send(fmt.Sprintf(`{"event":"agent_termination","agent_id":%d}`, i))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	e.answer(http.StatusOK)
	r.start()
	eventually(t, "all after the restart", func() bool { return len(e.taken()) >= 20 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if got := len(e.taken()); got != 20 {
		t.Errorf("%d deliveries, want 20: none twice after a clean stop", got)
	}
}

func TestReloadSwapsAllOrNothing(t *testing.T) {
	before, after := newEndpoint(t), newEndpoint(t)
	r := startRelay(t, configFor("crm", before.URL))
	first := r.status().Config.Fingerprint

	r.configure(configFor("crm", after.URL) + "\nnonsense = 1\n")
	r.hangup <- syscall.SIGHUP
	eventually(t, "the refusal", func() bool { return !r.status().Config.Success })
	if c := r.status().Config; c.Fingerprint != first || len(c.Problems) != 1 || !strings.Contains(c.Problems[0], "nonsense") {
		t.Errorf("after a bad file: %+v", c)
	}
	r.send(`{"event":"agent_termination","agent_id":1}`)
	eventually(t, "a delivery to the old endpoint", func() bool { return len(before.taken()) == 1 })
	if got := command(t, "", "reload", "-c", r.path); got.status != 1 || !strings.Contains(got.err, "nonsense") {
		t.Errorf("relay reload: exit %d, %s", got.status, got.err)
	}

	r.configure(strings.Replace(configFor("crm", after.URL), "[queue]", "[queue]\nkeep = \"1h\"", 1))
	if got := command(t, "", "reload", "-c", r.path); got.status != 0 || !strings.Contains(got.err, "queue.keep") {
		t.Errorf("relay reload: exit %d, %s", got.status, got.err)
	}
	if c := r.status().Config; !c.Success || c.Fingerprint == first || len(c.Problems) != 0 {
		t.Errorf("after a good file: %+v", c)
	}
	r.send(`{"event":"agent_termination","agent_id":2}`)
	eventually(t, "a delivery to the new endpoint", func() bool { return len(after.taken()) == 1 })
}

func TestDeadLettersAreReplayed(t *testing.T) {
	e := newEndpoint(t)
	e.answer(http.StatusUnprocessableEntity)
	r := startRelay(t, strings.Replace(configFor("crm", e.URL), "text =", "debug = true\ntext =", 1))
	r.send(`{"event":"agent_termination","agent_id":1,"uii":"c1"}{"event":"agent_termination","agent_id":2,"uii":"c2"}`)
	eventually(t, "two dead letters", func() bool { return r.service("crm").DeadLetters() == 2 })
	r.run([]step{{"a test that fails has a way out", "", "test crm", 1, "dead after ", "relay: not delivered\ntry: look at what was sent"}})
	e.answer(http.StatusOK)

	list := command(t, "", "dead", "list", "-c", r.path, "--reason", "rejected")
	if strings.Count(list.out, "crm") != 2 {
		t.Errorf("dead list:\n%s%s", list.out, list.err)
	}
	eventually(t, "a letter with what was sent and answered", func() bool {
		got := command(t, "", "dead", "show", "1", "-c", r.path)
		var l web.Letter
		return json.Unmarshal([]byte(got.out), &l) == nil && len(l.Tries) == 1 && l.Tries[0].Status == 422 &&
			len(l.Exchanges) == 1 && l.Exchanges[0].Request.Body != "" && l.Exchanges[0].Response.Status == 422
	})
	if got := command(t, "", "dead", "replay", "-c", r.path, "--call", "c1", "--dry-run"); !strings.Contains(got.out, "would have replayed 1 ") {
		t.Errorf("dry run: %s%s", got.out, got.err)
	}
	if got := command(t, "", "dead", "replay", "-c", r.path, "--call", "c1"); !strings.Contains(got.out, "replayed 1 ") {
		t.Errorf("replay: %s%s", got.out, got.err)
	}
	eventually(t, "the replayed one", func() bool { return len(e.taken()) == 1 })
	if got := e.taken()[0]; got != "1" || !strings.HasPrefix(e.ids[0], "c1/agent_termination/") {
		t.Errorf("delivered %s as %s", got, e.ids[0])
	}
	if got := command(t, "", "dead", "drop", "-c", r.path, "--all"); !strings.Contains(got.out, "dropped 1 ") {
		t.Errorf("drop: %s%s", got.out, got.err)
	}
}

func TestTheRelayIsFoundAfterItsSocketsMoved(t *testing.T) {
	e := newEndpoint(t)
	r := startRelay(t, configFor("crm", e.URL))
	for _, table := range []string{"admin", "intake"} {
		r.configure(strings.Replace(configFor("crm", e.URL), "[admin]\n", "["+table+"]\nsocket = \"moved-"+table+".sock\"\n[admin]\n", 1))
		if table == "admin" {
			r.configure(strings.Replace(configFor("crm", e.URL), "[admin]\n", "[admin]\nsocket = \"moved.sock\"\n", 1))
		}
		for range 2 { // before and after the reload
			if got := command(t, `{"event":"agent_termination","agent_id":1}`, "send", "-", "-c", r.path); got.status != 0 {
				t.Errorf("%s moved: send %+v", table, got)
			}
			if got := command(t, "", "reload", "-c", r.path); got.status != 0 {
				t.Errorf("%s moved: reload %+v", table, got)
			}
		}
	}
	if got := command(t, "", "status", "-c", r.path); !strings.Contains(got.out, "intake.socket changed: takes effect after a restart") {
		t.Errorf("status: %+v", got)
	}
}

func TestADryRunSaysWhatAReloadWouldDo(t *testing.T) {
	e := newEndpoint(t)
	e.answer(http.StatusServiceUnavailable)
	r := startRelay(t, configFor("old", e.URL))
	r.send(`{"event":"agent_termination","agent_id":1}`)
	if got := command(t, "", "reload", "-c", r.path, "--dry-run"); got.out != "nothing would change\n" {
		t.Errorf("without a change: %+v", got)
	}
	r.configure(configFor("new", e.URL) + "[intake]\nlisten = \"127.0.0.1:0\"\ntoken = \"0123456789abcdef\"\n")
	got := command(t, "", "reload", "-c", r.path, "--dry-run")
	for _, line := range []string{"service added: new", "service gone: old", "would be orphaned: 1 delivery of old", "needs a restart: intake.listen"} {
		if !strings.Contains(got.out, line+"\n") {
			t.Errorf("no line %q in\n%s%s", line, got.out, got.err)
		}
	}
	if s := r.service("old"); s.State != "active" {
		t.Errorf("the dry run changed the service to %q", s.State)
	}
	r.configure("nonsense")
	if got := command(t, "", "reload", "-c", r.path, "--dry-run"); got.status != 1 || !strings.Contains(got.err, "would be refused") {
		t.Errorf("a bad configuration: %+v", got)
	}
}

func TestRemovedServiceIsOrphanedUntilDropped(t *testing.T) {
	e := newEndpoint(t)
	e.answer(http.StatusServiceUnavailable)
	r := startRelay(t, configFor("old", e.URL))
	r.send(`{"event":"agent_termination","agent_id":1}`)
	if got := command(t, "", "drop", "-c", r.path, "old"); got.status != 1 || !strings.Contains(got.err, "configured") {
		t.Errorf("drop of a service in use: exit %d, %s", got.status, got.err)
	}
	r.configure(configFor("new", e.URL))
	if got := command(t, "", "reload", "-c", r.path); got.status != 0 {
		t.Fatalf("reload: %s", got.err)
	}
	eventually(t, "the orphan", func() bool { return r.service("old").State == "orphaned" })
	eventually(t, "the drop", func() bool {
		return strings.Contains(command(t, "", "drop", "-c", r.path, "old").out, "dropped 1 delivery")
	})
	list := command(t, "", "dead", "list", "-c", r.path, "--service", "old")
	if !strings.Contains(list.out, "removed") {
		t.Errorf("dead list:\n%s%s", list.out, list.err)
	}
	got := command(t, "", "dead", "replay", "-c", r.path, "--all")
	if got.status != 0 || !strings.Contains(got.out, "replayed 1 ") || !strings.Contains(got.err, "orphaned again: what is of old\n") {
		t.Errorf("replay for a service that is gone: %+v", got)
	}
}

func TestABackupNeedsNoConfigurationThatParses(t *testing.T) {
	queuetest.NeedsFolder(t)
	r := startRelay(t, configFor("crm", newEndpoint(t).URL))
	r.configure("nonsense")
	socket := filepath.Join(filepath.Dir(r.path), "run", "admin.sock")
	for name, args := range map[string][]string{"by the file": {"-c", r.path}, "by the socket": {"-c", "none", "--socket", socket}} {
		dir := filepath.Join(t.TempDir(), "copy")
		if got := command(t, "", append(args, "backup", dir)...); got.status != 0 || !strings.Contains(got.out, "backed up ") {
			t.Errorf("%s: %+v", name, got)
		}
		if stat, err := os.Stat(dir); err != nil || stat.Mode().Perm() != 0o700 {
			t.Errorf("%s: the folder: %v, %v", name, stat, err)
		}
		if got := command(t, "", append(args, "backup", dir)...); got.status != 1 || !strings.Contains(got.err, "is not empty") {
			t.Errorf("%s, into the same folder: %+v", name, got)
		}
	}
}

func TestPausedServiceIsHeld(t *testing.T) {
	e := newEndpoint(t)
	r := startRelay(t, configFor("crm", e.URL))
	if got := command(t, "", "pause", "-c", r.path, "crm", "--why", "they move"); got.status != 0 {
		t.Fatalf("pause: %s", got.err)
	}
	r.send(`{"event":"agent_termination","agent_id":1}`)
	if s := r.service("crm"); s.State != "paused" || s.Why != "they move" {
		t.Errorf("paused service = %+v", s)
	}
	if got := command(t, "", "resume", "-c", r.path, "crm"); got.status != 0 {
		t.Fatalf("resume: %s", got.err)
	}
	eventually(t, "the delivery", func() bool { return len(e.taken()) == 1 })
}

func TestBuildThatFailsLeavesNothingBehind(t *testing.T) {
	path := writeQueued(t, configFor("crm", "http://127.0.0.1:1"))
	inTheWay := filepath.Join(filepath.Dir(path), "run", "admin.sock")
	for _, test := range []struct {
		name string
		do   func() error
		ok   bool
	}{
		{"a file is where the admin socket belongs", func() error {
			if err := os.Mkdir(filepath.Dir(inTheWay), 0o700); err != nil {
				return err
			}
			return os.WriteFile(inTheWay, nil, 0o600)
		}, false},
		{"nothing is in the way", func() error { return os.Remove(inTheWay) }, true},
		{"nor is the one before", func() error { return nil }, true},
	} {
		if err := test.do(); err != nil {
			t.Fatal(err)
		}
		p, err := daemon.New(t.Context(), daemon.Options{Config: path, Log: slog.New(slog.DiscardHandler)})
		if (err == nil) != test.ok {
			t.Fatalf("%s: %v", test.name, err)
		}
		if p != nil {
			if err := p.Close(); err != nil {
				t.Errorf("%s: close: %v", test.name, err)
			}
		}
	}
}

func TestSecondRelayIsRefused(t *testing.T) {
	e := newEndpoint(t)
	r := startRelay(t, configFor("crm", e.URL))
	if got := command(t, "", "run", "-c", r.path); got.status != 1 || got.err == "" {
		t.Errorf("exit %d, %s", got.status, got.err)
	}
	r.send(`{"event":"agent_termination","agent_id":1}`)
	eventually(t, "the first goes on", func() bool { return len(e.taken()) == 1 })
}

func TestWhatWasDeliveredIsSentAgain(t *testing.T) {
	e, other := newEndpoint(t), newEndpoint(t)
	r := startRelay(t, configFor("crm", e.URL)+fmt.Sprintf("[[service]]\nname = \"other\"\nurl = %q\n[[binding]]\nevent = \"agent_termination\"\nservice = \"other\"\n", other.URL))
	r.send(`{"event":"agent_termination","agent_id":1,"uii":"c1"}{"event":"agent_termination","agent_id":2,"uii":"c2"}`)
	eventually(t, "two deliveries", func() bool { return len(e.taken()) == 2 && len(other.taken()) == 2 && r.service("crm").Owed() == 0 })
	e.answer(http.StatusUnprocessableEntity)
	r.send(`{"event":"agent_termination","agent_id":3,"uii":"c3"}`)
	eventually(t, "a dead letter", func() bool { return r.service("crm").DeadLetters() == 1 })
	e.answer(http.StatusOK)

	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"crm"}, 2, "--all"},
		{[]string{"crm", "--since", "soon"}, 2, "neither a time nor a span"},
		{[]string{"cmr", "--all"}, 1, `did you mean "crm"?`},
		{[]string{"crm", "--since", "0s"}, 0, "put back for crm: 0\n"},
		{[]string{"crm", "--all", "--dry-run"}, 0, "would put back 3 (2 delivered before, 1 dead letters)\n"},
		{[]string{"crm", "--call", "c1"}, 0, "put back for crm: 1 (1 delivered before)\n"},
	} {
		got := command(t, "", append([]string{"replay", "-c", r.path}, test.args...)...)
		if got.status != test.code || !strings.Contains(got.out+got.err, test.want) {
			t.Errorf("replay %v: %+v", test.args, got)
		}
	}
	eventually(t, "the one of the call", func() bool { return len(e.taken()) == 3 })
	eventually(t, "all of it finished", func() bool { return r.service("crm").Owed() == 0 })
	if got := command(t, "", "replay", "-c", r.path, "crm", "--since", "1h"); !strings.Contains(got.out, "put back for crm: 3 ") {
		t.Errorf("replay: %+v", got)
	}
	eventually(t, "all of them", func() bool { return len(e.taken()) == 6 && r.service("crm").Owed() == 0 })
	if len(other.taken()) != 3 {
		t.Errorf("another service was sent %d", len(other.taken()))
	}
	seen := map[string]int{}
	for _, id := range e.ids {
		seen[id]++
	}
	if len(seen) != 3 {
		t.Errorf("the ids are %v", seen)
	}
}
