package deliver

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/queue/queuetest"
	"callrelay/relay/call"
	"callrelay/relay/repeat"
	"callrelay/relay/route"
)

// rig is a deliverer over a real queue.
type rig struct {
	*Deliverer
	t      testing.TB
	queue  *queue.Queue
	log    *logbook
	dir    string
	stop   func() // as SIGTERM does; waits
	abort  func()
	raised chan map[string]any
}

// rigged starts a deliverer with a relay.toml.
func rigged(t testing.TB, toml string, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	r.start(toml, change...)
	return r
}

// start opens the queue and runs a deliverer, as a process that starts does.
func (r *rig) start(toml string, change ...func(*Options)) {
	r.t.Helper()
	p := queuetest.Cluster(r.t, r.dir)
	q, err := queue.Open(r.t.Context(), queue.Options{
		Dir: filepath.Join(r.dir, "queue"), Servers: p.Servers, Credentials: p.Credentials, Site: p.Site, Replicas: p.Replicas,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.queue, r.log = q, &logbook{}
	r.raised = make(chan map[string]any, 100)
	o := Options{
		Queue: q, Version: "1.2.3",
		Log: slog.New(repeat.NewHandler(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		Raise: func(event map[string]any) {
			select {
			case r.raised <- event:
			default:
			}
		},
	}
	for _, f := range change {
		f(&o)
	}
	r.Deliverer = New(o)
	r.Apply(r.table(toml))
	ctx, stop := context.WithCancel(context.Background())
	abort, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, abort) }()
	r.abort = cancel
	r.stop = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
		if err := q.Close(context.Background()); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(func() { cancel(); r.stop() })
}

// restart ends the deliverer and the queue cleanly and starts them again.
func (r *rig) restart(toml string) {
	r.t.Helper()
	r.stop()
	r.start(toml)
}

// table compiles a relay.toml.
func (r *rig) table(toml string) *route.Table {
	r.t.Helper()
	return tableOf(r.t, r.dir, toml)
}

func tableOf(t testing.TB, dir, toml string) *route.Table {
	t.Helper()
	path := filepath.Join(dir, "relay.toml")
	if err := os.WriteFile(path, []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(path)
	if len(problems) > 0 {
		t.Fatalf("config: %v", problems)
	}
	table, errs, _ := route.Compile(c)
	if len(errs) > 0 {
		t.Fatalf("compile: %v", errs)
	}
	return table
}

// owe puts events into the queue, owed to a service.
func (r *rig) owe(service string, ids ...string) {
	r.t.Helper()
	recs := make([]queue.Record, len(ids))
	for i, id := range ids {
		recs[i] = record(service, id, "")
	}
	r.write(recs...)
}

func (r *rig) write(recs ...queue.Record) {
	r.t.Helper()
	if err := r.queue.Write(r.t.Context(), recs); err != nil {
		r.t.Fatal(err)
	}
}

// record is an event owed to a service; members are added to it as they are.
func record(service, id, members string) queue.Record {
	body := fmt.Sprintf(`{"event":"agent_termination","id":%q,"queue":"support","agent_id":1401%s}`, id, members)
	return queue.Record{Service: service, Event: "agent_termination", ID: id, Body: []byte(body)}
}

// names makes n ids.
func names(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return ids
}

// status returns that of a service.
func (r *rig) status(service string) Status {
	for _, s := range r.Status() {
		if s.Name == service {
			return s
		}
	}
	return Status{}
}

// until waits for a condition.
func (r *rig) until(what string, met func() bool) {
	r.t.Helper()
	await(r.t, what, met)
}

func await(t testing.TB, what string, met func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline.C:
			t.Fatalf("in vain waited until %s", what)
		case <-tick.C:
		}
	}
}

// metric returns the value of a series, e.g. `relay_pending{service="crm"}`, and
// whether it exists; of a histogram, how many it has seen.
func (r *rig) metric(series string) (value float64, exists bool) {
	r.t.Helper()
	name, labels, _ := strings.Cut(series, "{")
	for line := range strings.Lines(string(r.AppendMetrics(nil))) {
		text, found := strings.CutPrefix(line, series+" ")
		if !found {
			text, found = strings.CutPrefix(line, name+"_count{"+labels+" ")
		}
		if !found {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			r.t.Fatal(err)
		}
		return value, true
	}
	return 0, false
}

// letters returns the dead letters of a service.
func (r *rig) letters(service string) []queue.Letter {
	r.t.Helper()
	var list []queue.Letter
	err := r.queue.Letters(r.t.Context(), queue.Filter{Service: service}, func(l queue.Letter) bool {
		list = append(list, l)
		return true
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// logbook is a log that can be read while it is written.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// receiver is an endpoint that remembers what it got.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc // nil: 200
	got    []received
}

type received struct {
	*http.Request
	body string
	at   time.Time
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	rc := &receiver{}
	rc.Server = httptest.NewServer(rc)
	t.Cleanup(rc.Close)
	return rc
}

// ServeHTTP implements [http.Handler].
func (rc *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rc.mu.Lock()
	rc.got = append(rc.got, received{r, string(body), time.Now()})
	answer := rc.answer
	rc.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

// respond sets what is answered from now on; nil is 200.
func (rc *receiver) respond(answer http.HandlerFunc) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.answer = answer
}

// status answers with a status and a text.
func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

func (rc *receiver) requests() []received {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return append([]received(nil), rc.got...)
}

func (rc *receiver) count() int { return len(rc.requests()) }

// attempts counts the requests for each id.
func (rc *receiver) attempts() map[string]int {
	m := map[string]int{}
	for _, r := range rc.requests() {
		m[r.Header.Get("Webhook-Id")]++
	}
	return m
}

// service is the relay.toml of one service and nothing else.
func service(name, url, more string) string {
	body := "json = '{\"agent\": \"#agent_id#\"}'"
	if given := strings.Fields(more + " ."); slices.Contains(config.BodyKinds(), given[0]) {
		body = ""
	}
	return fmt.Sprintf("[[service]]\nname = %q\nurl = %q\n%s\n%s\n", name, url, body, more)
}

// eventOf decodes one event.
func eventOf(t testing.TB, body string) *call.Event {
	t.Helper()
	events, err := call.Decode([]byte(body), call.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &events[0]
}
