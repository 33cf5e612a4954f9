package intake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/queue"
)

const (
	mediaJSON  = "application/json"
	mediaLines = "application/x-ndjson"
)

// post sends a request over the socket and returns the response with its body.
func post(t testing.TB, c *http.Client, media, body string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Post("http://relay/v1/events", media, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestRequestIsAnsweredAfterTheCommit(t *testing.T) {
	r := start(t, "")
	r.queue.hold()
	c := r.dial(t)
	const body = `{"event":"post_call","id":"a"}`
	c.send("POST /v1/events HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n" + body)
	r.queue.await(t, 1)
	c.silent()
	r.queue.release(0, nil)
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	if got, want := string(text), "{\"accepted\":1,\"ids\":[\"a\"]}\n"; resp.StatusCode != http.StatusAccepted || got != want {
		t.Errorf("answer = %d %s, want 202 %s", resp.StatusCode, got, want)
	}
}

func TestRequests(t *testing.T) {
	r := start(t, "")
	web := r.over(t)
	many := func(n int) string {
		return strings.TrimSuffix(strings.Repeat("{\"event\":\"dequeue\"}\n", n), "\n")
	}
	for _, test := range []struct {
		name   string
		media  string
		body   string
		status int
		want   string // the body, or how it begins
	}{
		{"an event", mediaJSON, `{"event":"dequeue","id":"a"}`, 202, `{"accepted":1,"ids":["a"]}`},
		{"a character set", "Application/JSON; charset=UTF-8", `{"event":"dequeue","id":"a"}`, 202, `{"accepted":1,"ids":["a"]}`},
		{"segments", mediaJSON, `{"event":"dequeue","id":"a","segments":[{},{}]}`, 202, `{"accepted":2,"ids":["a/1","a/2"]}`},
		{"an array", mediaJSON, ` [ {"event":"dequeue","id":"a"} , {"event":"x","id":"b"} ] `, 202, `{"accepted":2,"ids":["a","b"]}`},
		{"an empty array", mediaJSON, `[]`, 202, `{"accepted":0,"ids":[]}`},
		{"lines", mediaLines, "{\"event\":\"dequeue\",\"id\":\"a\"}\r\n\n{\"event\":\"x\",\"id\":\"b\"}", 202, `{"accepted":2,"ids":["a","b"]}`},
		{"as many events as may be", mediaLines, many(1000), 202, `{"accepted":1000,`},
		{"an id with quotes", mediaJSON, `{"event":"x","id":"\"\\"}`, 202, `{"accepted":1,"ids":["\"\\"]}`},

		{"nothing", mediaJSON, ``, 400, `{"error":"empty: want a JSON object","problems":[{"index":0,"field":"","problem":"empty: want a JSON object"}]}`},
		{"no lines", mediaLines, "\n\n", 400, `{"error":"empty: want a JSON object",`},
		{"no event", mediaJSON, `{}`, 400, `{"error":"event: required","problems":[{"index":0,"field":"event","problem":"required"}]}`},
		{"a string", mediaJSON, `"x"`, 400, `{"error":"not an event: want a JSON object",`},
		{
			"some events of an array", mediaJSON, `[{"event":"dequeue"},{"event":"X"},{"event":"x","n":1,"n":2}]`, 400,
			`{"error":"event 1: event: \"X\" is not an event name: 1 to 64 of a-z 0-9 _ (and 1 more)","problems":[` +
				`{"index":1,"field":"event","problem":"\"X\" is not an event name: 1 to 64 of a-z 0-9 _"},{"index":2,"field":"n","problem":"given twice"}]}`,
		},
		{
			"a line in the middle", mediaLines, "{\"event\":\"x\"}\nx\n{\"event\":\"x\"}", 400,
			`{"error":"event 1: not valid JSON: invalid character 'x' at start of value at byte 1","problems":[{"index":1,"field":"",`,
		},
		{"an array in lines", mediaLines, "[]", 400, `{"error":"not an event: want a JSON object",`},
		{"an array that is cut off", mediaJSON, `[{"event":"x"},{"event"`, 400, `{"error":"not valid JSON: unexpected EOF at byte 24 of the request","problems":[{"index":1,`},
		{"an array with more after it", mediaJSON, `[{"event":"x"}]]`, 400, `{"error":"more text after the array","problems":[{"index":1,`},
		{"two events in one", mediaJSON, `{"event":"x"}{"event":"x"}`, 400, `{"error":"more text after the event",`},
		{"invalid UTF-8 in an array", mediaJSON, "[{\"event\":\"x\",\"a\":\"\xff\"}]", 400, `{"error":"a: not valid JSON: invalid UTF-8 at byte 19",`},

		{"an event that is too large", mediaJSON, `{"event":"x","a":"` + strings.Repeat("a", 300<<10) + `"}`, 413, `{"error":"307220 bytes: at most 262144 an event","problems":[`},
		{"too large a request", mediaLines, strings.Repeat(`{"event":"x","a":"`+strings.Repeat("a", 200<<10)+"\"}\n", 42), 413, `{"error":"more than 8388608 bytes in one request"}`},
		{"too many events", mediaLines, many(1001), 413, `{"error":"more than 1000 events in one request"}`},
		{"too many events of an array", mediaJSON, "[" + strings.ReplaceAll(many(1001), "\n", ",") + "]", 413, `{"error":"more than 1000 events in one request"}`},
		{
			"too much after splitting", mediaLines, strings.Repeat(`{"event":"x","a":"`+strings.Repeat("a", 90<<10)+`","segments":[{}`+strings.Repeat(",{}", 40)+"]}\n", 30), 413,
			`{"error":"more than 33554432 bytes after splitting into segments"}`,
		},

		{"a form", "application/x-www-form-urlencoded", `event=x`, 415, `{"error":"Content-Type \"application/x-www-form-urlencoded\": want application/json or application/x-ndjson"}`},
		{"no type", "", `{}`, 415, `{"error":"Content-Type \"\": want`},
		{"another character set", mediaJSON + "; charset=latin1", `{}`, 415, `{"error":"charset \"latin1\": want utf-8"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(r.queue.records())
			resp, got := post(t, web, test.media, test.body)
			if resp.StatusCode != test.status || !strings.HasPrefix(got, test.want) || !json.Valid([]byte(got)) {
				t.Errorf("answer = %d %.300s\nwant %d %s", resp.StatusCode, got, test.status, test.want)
			}
			if media := resp.Header.Get("Content-Type"); media != mediaJSON {
				t.Errorf("Content-Type = %q", media)
			}
			if after := len(r.queue.records()); test.status != 202 && after != before {
				t.Errorf("%d records of a refused request are written", after-before)
			}
		})
	}
}

func TestRequestsThatAreNoEvents(t *testing.T) {
	r := start(t, "")
	web := r.over(t)
	for _, test := range []struct {
		name   string
		method string
		path   string
		header http.Header
		status int
		want   string
		also   [2]string // a header of the answer
	}{
		{"a look", "GET", "/v1/events", nil, 405, `{"error":"events are sent with POST"}`, [2]string{"Allow", "POST"}},
		{"another path", "POST", "/v1/event", nil, 404, `{"error":"nothing is here: events go to /v1/events"}`, [2]string{}},
		{"the root", "GET", "/", nil, 404, `{"error":"nothing is here`, [2]string{}},
		{
			"packed", "POST", "/v1/events",
			http.Header{"Content-Type": {mediaJSON}, "Content-Encoding": {"gzip"}},
			415,
			`{"error":"Content-Encoding \"gzip\": want none"}`,
			[2]string{},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), test.method, "http://relay"+test.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header = test.header
			resp, err := web.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.status || !strings.HasPrefix(string(text), test.want) {
				t.Errorf("answer = %d %s, want %d %s", resp.StatusCode, text, test.status, test.want)
			}
			if got := resp.Header.Get(test.also[0]); test.also[0] != "" && got != test.also[1] {
				t.Errorf("%s = %q, want %q", test.also[0], got, test.also[1])
			}
		})
	}
}

func TestRequestInChunks(t *testing.T) {
	r := start(t, "")
	c := r.dial(t)
	c.send("\r\nPOST /v1/events HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"8\r\n{\"event\"\r\n13\r\n:\"dequeue\",\"id\":\"a\"\r\n1\r\n}\r\n0\r\n\r\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 202 {
		t.Errorf("answer = %d %s", resp.StatusCode, text)
	}
}

// The large requests of a user wait for one another, and small ones do not wait
// for them.
func TestLargeRequestsHaveAShare(t *testing.T) {
	r := start(t, "")
	r.queue.hold()
	web := r.over(t)
	const lines = 15
	body := strings.Repeat(`{"event":"dequeue","a":"`+strings.Repeat("a", 100<<10)+"\"}\n", lines)
	fit := peerBytes / len(body)
	var wait sync.WaitGroup
	for range fit + 2 {
		wait.Go(func() {
			if resp, text := post(t, web, mediaLines, body); resp.StatusCode != 202 {
				t.Errorf("answer = %d %s", resp.StatusCode, text)
			}
		})
	}
	r.queue.await(t, fit)
	c := r.dial(t)
	c.send("POST /v1/events HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n" + `{"event":"dequeue","id":"a"}`)
	r.queue.await(t, 1)
	if got := len(r.queue.records()); got != lines*fit+1 {
		t.Errorf("%d records written, want those of %d requests and a small one's", got, fit)
	}
	for i := range fit + 1 {
		r.queue.release(i, nil)
	}
	r.queue.await(t, 2)
	r.queue.release(fit+1, nil)
	r.queue.release(fit+2, nil)
	wait.Wait()
}

func TestRequestThatIsCutOff(t *testing.T) {
	r := start(t, "")
	c := r.dial(t)
	c.send("POST /v1/events HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"event\":\"dequeue\"}")
	_ = c.CloseWrite()
	_, _ = io.ReadAll(c.r)
	r.stop()
	if got := len(r.queue.records()); got != 0 {
		t.Errorf("%d records of half a request are written", got)
	}
}

func TestRequestIsWrittenWhole(t *testing.T) {
	r := start(t, "")
	_, _ = post(t, r.over(t), mediaJSON, `[{"event":"agent_termination","id":"a","queue":"support","uii":"u","segments":[{"segment_id":"1"},{}]},{"event":"dequeue","id":"b"},{"event":"call_end","id":"c"}]`)
	got := make([]string, 0, 5)
	for _, rec := range r.queue.records() {
		got = append(got, fmt.Sprintf("%s %s %s %s|%s|%s %s", rec.Service, rec.Event, rec.ID, rec.Call, rec.Segment, rec.Scope, rec.Body))
	}
	want := []string{
		`crm agent_termination a/1 u|1|queue support {"event":"agent_termination","id":"a/1","queue":"support","uii":"u","segment_id":"1"}`,
		`billing agent_termination a/1 u|1|queue support {"event":"agent_termination","id":"a/1","queue":"support","uii":"u","segment_id":"1"}`,
		`crm agent_termination a/2 u||queue support {"event":"agent_termination","id":"a/2","queue":"support","uii":"u"}`,
		`billing agent_termination a/2 u||queue support {"event":"agent_termination","id":"a/2","queue":"support","uii":"u"}`,
		`crm dequeue b || {"event":"dequeue","id":"b"}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("records:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	select {
	case <-r.queue.arrived:
	default:
		t.Error("nothing was appended")
	}
	select {
	case <-r.queue.arrived:
		t.Error("one request took two commits")
	default:
	}
}

func TestQueueThatCannotTake(t *testing.T) {
	for _, err := range []error{queue.ErrFull, queue.ErrUnavailable, fmt.Errorf("%w: disk reserve", queue.ErrFull)} {
		t.Run(err.Error(), func(t *testing.T) {
			r := start(t, "")
			r.queue.fail(err)
			resp, body := post(t, r.over(t), mediaJSON, `{"event":"dequeue"}`)
			if want := fmt.Sprintf("{\"error\":%q}\n", err); resp.StatusCode != 503 || body != want || resp.Header.Get("Retry-After") != "5" {
				t.Errorf("answer = %d %s, Retry-After %q", resp.StatusCode, body, resp.Header.Get("Retry-After"))
			}
			c := r.dial(t)
			c.send(`{"event":"dequeue"}` + "\n")
			if got, want := c.line(), fmt.Sprintf(`{"error":%q,"status":503,"retry_after":5}`, err); got != want {
				t.Errorf("answer = %s, want %s", got, want)
			}
			if resp, _ := post(t, r.over(t), mediaJSON, `{"event":"call_end"}`); resp.StatusCode != 202 {
				t.Errorf("an event owed to nobody is refused: %d", resp.StatusCode)
			}
		})
	}
}

func TestLoopbackWantsTheToken(t *testing.T) {
	r := prepare(t, "listen = \"127.0.0.1:0\"\ntoken = \"right\"\n")
	r.Handle("POST /more", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	r.run(t)
	for _, test := range []struct {
		name   string
		path   string
		auth   string
		status int
	}{
		{"none", "/v1/events", "", 401},
		{"a wrong one", "/v1/events", "Bearer wrong", 401},
		{"the beginning of it", "/v1/events", "Bearer righ", 401},
		{"empty", "/v1/events", "Bearer ", 401},
		{"the right one", "/v1/events", "Bearer right", 202},
		{"the scheme in other letters", "/v1/events", "bearer right", 202},
		{"as a password", "/v1/events", "Basic dTpyaWdodA==", 401},
		{"another path without", "/x", "", 401},
		{"another path", "/x", "Bearer right", 404},
		{"a further route without", "/more", "", 401},
		{"a further route", "/more", "Bearer right", 204},
		{"a further route with a password", "/more", "Basic dTpyaWdodA==", 204},
		{"a further route with a wrong password", "/more", "Basic dTp3cm9uZw==", 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.Addr().String()+test.path, strings.NewReader(`{"event":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", mediaJSON)
			if test.auth != "" {
				req.Header.Set("Authorization", test.auth)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != test.status {
				t.Errorf("answer = %d %s, want %d", resp.StatusCode, text, test.status)
			}
			if got := resp.Header.Get("WWW-Authenticate"); (got != "") != (test.status == 401) {
				t.Errorf("WWW-Authenticate = %q", got)
			}
		})
	}
}

func TestTokenIsThatOfTheTableInForce(t *testing.T) {
	r := start(t, "listen = \"127.0.0.1:0\"\ntoken = \"old\"\n")
	r.table.Store(tableOf(t, "listen = \"127.0.0.1:0\"\ntoken = \"new\"\n"))
	for token, want := range map[string]int{"old": 401, "new": 202} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.Addr().String()+"/v1/events", strings.NewReader(`{"event":"x"}`))
		req.Header = http.Header{"Content-Type": {mediaJSON}, "Authorization": {"Bearer " + token}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("token %q: status %d, want %d", token, resp.StatusCode, want)
		}
	}
}

func TestLoopbackSpeaksHTTPOnly(t *testing.T) {
	r := start(t, "listen = \"127.0.0.1:0\"\ntoken = \"right\"\n")
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = c.Write([]byte("{\"event\":\"dequeue\"}\n\r\n\r\n"))
	text, _ := io.ReadAll(c)
	if !bytes.HasPrefix(text, []byte("HTTP/1.1 400")) || len(r.queue.records()) > 0 {
		t.Errorf("answer = %s", text)
	}
}

func FuzzCollectAll(f *testing.F) {
	r := start(f, "")
	for _, body := range []string{`[{"event":"x"}]`, "{\"event\":\"x\"}\n{}", `[1,{"event":"x"},`, `{"event":"x","segments":[{}]}`, `[]x`} {
		f.Add(body, true)
		f.Add(body, false)
	}
	f.Fuzz(func(t *testing.T, body string, lines bool) {
		kind := asJSON
		if lines {
			kind = asLines
		}
		b, problems, err := httpIntake{r.Server}.collectAll(kind, []byte(body))
		if err != nil {
			if status, _ := classify(err); b != nil || status != 400 && status != 413 {
				t.Errorf("%q: batch %v with error %v", body, b, err)
			}
		} else if len(problems) > 0 {
			t.Errorf("%q: accepted with problems", body)
		}
		if text := appendProblems(nil, problems); !json.Valid(text) {
			t.Errorf("%q: problems %s", body, text)
		}
	})
}
