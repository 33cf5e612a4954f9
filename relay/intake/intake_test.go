package intake

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/route"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// fakeQueue is an [Appender] that commits when it is told to.
type fakeQueue struct {
	mu      sync.Mutex
	recs    []queue.Record
	err     error         // what every commit ends with
	held    bool          // commits wait for release
	waiting []func(error) // commits that wait
	arrived chan struct{} // one for each commit, as far as somebody looks
}

func newFakeQueue() *fakeQueue {
	return &fakeQueue{arrived: make(chan struct{}, 100_000)}
}

func (q *fakeQueue) Append(recs []queue.Record, done func(error)) {
	q.mu.Lock()
	q.recs = append(q.recs, recs...)
	err, held := q.err, q.held
	if held {
		q.waiting = append(q.waiting, done)
	}
	q.mu.Unlock()
	if !held {
		done(err)
	}
	select {
	case q.arrived <- struct{}{}:
	default: // nobody looks
	}
}

// hold makes commits wait until they are released.
func (q *fakeQueue) hold() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = true
}

// release ends commit i of those that wait.
func (q *fakeQueue) release(i int, err error) {
	q.mu.Lock()
	done := q.waiting[i]
	q.mu.Unlock()
	done(err)
}

func (q *fakeQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
}

func (q *fakeQueue) records() []queue.Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]queue.Record(nil), q.recs...)
}

// await waits until n commits have arrived.
func (q *fakeQueue) await(t testing.TB, n int) {
	t.Helper()
	for range n {
		select {
		case <-q.arrived:
		case <-time.After(patience):
			t.Fatal("no commit arrives")
		}
	}
}

// relay is a running server for a test.
type relay struct {
	*Server
	queue   *fakeQueue
	metrics *prometheus.Registry
	table   atomic.Pointer[route.Table]
	path    string // of the socket
	stop    func() // stops the server and waits for it
}

const testServices = `
[[service]]
name = "crm"
url = "http://127.0.0.1:1/"
[[service]]
name = "billing"
url = "http://127.0.0.1:1/"
[[binding]]
event = ["post_call", "agent_termination"]
service = ["crm", "billing"]
[[binding]]
event = "dequeue"
service = "crm"
`

// tableOf compiles a relay.toml whose [intake] has more keys.
func tableOf(t testing.TB, intake string) *route.Table {
	t.Helper()
	dir, err := os.MkdirTemp("", "in") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "relay.toml")
	text := "[intake]\nsocket = \"s\"\n" + intake + "\n[recordings]\ndir = \"/rec\"\naccess = \"anonymous\"\n" +
		"keys = [{ id = \"k1\", secret = \"0123456789012345678901234567890123456789\" }]\n" + testServices
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(path)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	table, problems, _ := route.Compile(c)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return table
}

// start runs a server whose [intake] has more keys.
func start(t testing.TB, intake string) *relay {
	t.Helper()
	r := prepare(t, intake)
	r.run(t)
	return r
}

// prepare makes a server that does not run yet.
func prepare(t testing.TB, intake string) *relay {
	t.Helper()
	q := newFakeQueue()
	r := prepareOn(t, intake, q)
	r.queue = q
	return r
}

// prepareOn makes a server on any queue.
func prepareOn(t testing.TB, intake string, q Appender) *relay {
	t.Helper()
	r := &relay{metrics: prometheus.NewRegistry()}
	table := tableOf(t, intake)
	r.table.Store(table)
	r.path = table.Config.Intake.Socket
	var err error
	r.Server, err = New(Options{
		Config: table.Config.Intake, Queue: q, Table: r.table.Load, Metrics: r.metrics, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *relay) run(t testing.TB) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(r.stop)
}

// client is a connection that speaks newline-delimited JSON.
type client struct {
	*net.UnixConn
	t testing.TB
	r *bufio.Reader
}

func (r *relay) dial(t testing.TB) *client {
	t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: r.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{UnixConn: c, t: t, r: bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// line returns the next line without its line feed; empty at the end.
func (c *client) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	if err != nil && line != "" {
		c.t.Fatalf("half a line %q: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// silent fails the test when something can be read now.
func (c *client) silent() {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if b, err := c.r.ReadByte(); err == nil {
		rest, _ := c.r.ReadString('\n')
		c.t.Errorf("got %q before its time", string(b)+rest)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
}

// over returns a client whose connections all lead to the socket.
func (r *relay) over(t testing.TB) *http.Client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", r.path)
		},
		MaxIdleConnsPerHost: 100,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func accepted(ids ...string) string {
	list := `"` + strings.Join(ids, `","`) + `"`
	return fmt.Sprintf(`{"accepted":true,"id":"%s","ids":[%s]}`, ids[0], list)
}
