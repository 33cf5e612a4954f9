package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/repeat"
)

func TestConnectionsBeyondTheLimit(t *testing.T) {
	r := start(t, "")
	clients := make([]*client, MaxConnections)
	for i := range clients {
		clients[i] = r.dial(t)
	}
	last := clients[MaxConnections-1]
	last.send("{\"event\":\"dequeue\",\"id\":\"a\"}\n")
	if got := last.line(); got != accepted("a") {
		t.Fatalf("the last that is allowed: %s", got)
	}

	over := r.dial(t)
	resp, err := http.ReadResponse(over.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if want := "{\"error\":\"too many connections\",\"status\":503,\"retry_after\":5}\n"; resp.StatusCode != 503 ||
		resp.Header.Get("Retry-After") != "5" || string(body) != want {
		t.Errorf("answer = %d %s", resp.StatusCode, body)
	}
	if _, err := over.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is not closed: %v", err)
	}
	if got := testutil.ToFloat64(r.Server.metrics.rejected.WithLabelValues(reasonConnections)); got != 1 {
		t.Errorf("%v connections counted as refused, want 1", got)
	}

	_ = clients[0].Close()
	for { // until the server has seen it
		c := r.dial(t)
		_, _ = c.Write([]byte("{\"event\":\"dequeue\",\"id\":\"b\"}\n"))
		line, _ := c.r.ReadString('\n')
		if line == accepted("b")+"\n" {
			return
		}
		_ = c.Close()
	}
}

// A peer that speaks JSON and is quicker than the relay is told in its own words.
func TestOverflowAnswersInThePeersWords(t *testing.T) {
	r := prepare(t, "")
	defer r.run(t)
	for _, test := range []struct{ sent, want string }{
		{"{\"event\":\"x\"}\n", `{"error":"too many connections"`},
		{" \n{", `{"error":"too many connections"`},
		{"POST /v1/events HTTP/1.1\r\n", "HTTP/1.1 503 "},
		{"", "HTTP/1.1 503 "},
	} {
		here, there := pair(t)
		_, _ = here.Write([]byte(test.sent))
		sent := make([]byte, len(test.sent))
		_, _ = io.ReadFull(there, sent)
		r.overflow(there, sent)
		_ = there.Close()
		got, _ := io.ReadAll(here)
		if !bytes.HasPrefix(got, []byte(test.want)) {
			t.Errorf("after %q: %q, want %q…", test.sent, got, test.want)
		}
	}
}

// pair returns the ends of a unix connection.
func pair(t testing.TB) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", shortDir(t)+"/p")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

func TestStopAnswersWhatWasTaken(t *testing.T) {
	r := start(t, "listen = \"127.0.0.1:0\"\ntoken = \"t\"\n")
	r.queue.hold()
	silent, half, lines, web := r.dial(t), r.dial(t), r.dial(t), r.dial(t)
	half.send(`{"event":"dequeue"`)
	lines.send(`{"event":"dequeue","id":"a"}` + "\n" + `{"event":"deq`)
	r.queue.await(t, 1)
	web.send("POST /v1/events HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n" + `{"event":"dequeue","id":"b"}`)
	r.queue.await(t, 1)

	var stopping sync.WaitGroup
	stopping.Go(r.stop)
	for _, c := range []*client{silent, half} {
		if got := c.line(); got != "" {
			t.Errorf("a peer without a whole event gets %s", got)
		}
	}
	r.queue.release(0, nil)
	r.queue.release(1, nil)
	if got := lines.line(); got != accepted("a") {
		t.Errorf("answer = %s", got)
	}
	if got := lines.line(); got != "" {
		t.Errorf("a further answer: %s", got)
	}
	if resp, err := http.ReadResponse(web.r, nil); err != nil || resp.StatusCode != 202 {
		t.Errorf("answer by HTTP: %v, %v", resp, err)
	}
	stopping.Wait()
	if _, err := os.Lstat(r.path); err == nil {
		t.Error("the socket is still there")
	}
	if _, err := net.Dial("tcp", r.Addr().String()); err == nil {
		t.Error("loopback still listens")
	}
}

func TestStopBeforeRun(t *testing.T) {
	r := prepare(t, "listen = \"127.0.0.1:0\"\ntoken = \"t\"\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Errorf("Run = %v", err)
	}
}

func TestAccept(t *testing.T) {
	r := start(t, "")
	dequeue := []byte(`{"event":"dequeue"}`)
	errs := r.Accept(t.Context(), []byte(`{"event":"agent_termination","id":"a","recording_state":"ready","segments":[{},{}]}`), []byte(`{}`), dequeue)
	if e, ok := errors.AsType[*call.Error](errs[1]); errs[0] != nil || !ok || e.Field != "event" || errs[2] != nil {
		t.Errorf("Accept = %v", errs)
	}
	if got := len(r.queue.records()); got != 5 {
		t.Errorf("%d records, want 5", got)
	}
	r.queue.fail(queue.ErrFull)
	if errs = r.Accept(t.Context(), dequeue); !errors.Is(errs[0], queue.ErrFull) {
		t.Errorf("a full queue: %v", errs)
	}
	r.queue.hold()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	if errs = r.Accept(ctx, []byte(`{}`), dequeue); !errors.Is(errs[1], context.Canceled) {
		t.Errorf("an ended context: %v", errs)
	}
}

func TestReloadChangesTheRules(t *testing.T) {
	r := start(t, "")
	c := r.dial(t)
	c.send(`{"event":"dequeue","id":"a","call_start":"2020-04-22 00:00:00"}` + "\n")
	_ = c.line()
	r.table.Store(tableOf(t, "max_event = \"1KiB\"\ntimezone = \"Asia/Kolkata\"\n"))
	c.send(`{"event":"dequeue","id":"a","call_start":"2020-04-22 00:00:00"}` + "\n")
	_ = c.line()
	c.send(`{"event":"dequeue","a":"` + strings.Repeat("a", 2000) + `"}` + "\n")
	if got := c.line(); !strings.Contains(got, `"status":413`) {
		t.Errorf("answer = %s", got)
	}
	for i, want := range []string{"00:00:00Z", "00:00:00+05:30"} {
		if got := string(r.queue.records()[i].Body); !strings.Contains(got, want) {
			t.Errorf("body %d = %s, want %s in it", i, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := start(t, "")
	web := r.over(t)
	_, _ = post(t, web, mediaJSON, `[{"event":"dequeue"},{"event":"dequeue"},{"event":"post_call","segments":[{},{}]},{"event":"nobody_is_owed_this"}]`)
	_, _ = post(t, web, mediaJSON, `{"event":"DEQUEUE"}`)
	_, _ = post(t, web, "text/plain", `x`)
	var many strings.Builder
	for i := range 150 {
		_, _ = fmt.Fprintf(&many, "{\"event\":\"own_%d\"}\n", i)
	}
	_, _ = post(t, web, mediaLines, many.String())
	r.queue.fail(queue.ErrFull)
	_, _ = post(t, web, mediaJSON, `{"event":"dequeue"}`)

	m := r.Server.metrics
	for event, want := range map[string]float64{"dequeue": 2, "post_call": 2, "nobody_is_owed_this": 1, "agent_login": 0, "own_0": 1, "own_98": 1, "own_99": 0, "other": 51} {
		if got := testutil.ToFloat64(m.accepted.vec.WithLabelValues(event)); got != want {
			t.Errorf("accepted{event=%q} = %v, want %v", event, got, want)
		}
	}
	if got := testutil.ToFloat64(m.unbound.vec.WithLabelValues("nobody_is_owed_this")); got != 1 {
		t.Errorf("unbound{event=%q} = %v, want 1", "nobody_is_owed_this", got)
	}
	if got := r.Unbound(); got.Count < 151 || got.Event != "own_149" || got.At.IsZero() {
		t.Errorf("got %+v for the events that no binding matches", got)
	}
	for reason, want := range map[string]float64{reasonInvalid: 1, reasonMediaType: 1, reasonQueue: 1, reasonTooLarge: 0} {
		if got := testutil.ToFloat64(m.rejected.WithLabelValues(reason)); got != want {
			t.Errorf("rejected{reason=%q} = %v, want %v", reason, got, want)
		}
	}
	problems, err := testutil.GatherAndLint(r.metrics)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	n, err := testutil.GatherAndCount(r.metrics, "relay_journal_seconds")
	if err != nil || n != 1 {
		t.Errorf("relay_journal_seconds: %d series, %v", n, err)
	}
}

func TestSameRefusalIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	refused := newRefusals(slog.New(repeat.NewHandler(slog.NewTextHandler(&log, nil))))
	a, b := &call.Error{Field: "event", Problem: "required"}, &call.Error{Problem: "empty"}
	for _, err := range []error{a, a, b, b, a} {
		refused.add(400, err)
	}
	refused.add(503, queue.ErrFull)
	if got := strings.Count(log.String(), "event rejected"); got != 3 {
		t.Errorf("%d lines are logged, want 3:\n%s", got, &log)
	}
	if !strings.Contains(log.String(), `level=ERROR msg="event rejected" status=503 err="queue is full"`) {
		t.Errorf("log:\n%s", &log)
	}
	for i := range 1000 {
		refused.add(400, &call.Error{Problem: fmt.Sprint(i)})
	}
	if got := strings.Count(log.String(), "\n"); got > 50 {
		t.Errorf("%d lines are logged", got)
	}
}
