package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"callrelay/relay/deliver"
	"callrelay/relay/web"
)

// endpoint answers with whatever status is set.
func endpoint(t *testing.T) (url string, status *atomic.Int64) {
	t.Helper()
	status = new(atomic.Int64)
	status.Store(http.StatusOK)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, "as you say")
	}))
	t.Cleanup(s.Close)
	return s.URL, status
}

// operated runs a relay with one service, which keeps its exchanges.
func operated(t *testing.T) (operator, *atomic.Int64) {
	t.Helper()
	url, status := endpoint(t)
	p := running(t, fmt.Sprintf(`[queue]
listen = ""
[admin]
listen = ""
[intake]
socket = "in.sock"
[recordings]
listen = ""
keys = [{ id = "k", secret = "0123456789abcdef0123456789abcdef" }]
[[service]]
name = "crm"
url = %q
text = "#agent_id# #ani#"
debug = true
[[binding]]
queue = "support"
event = "agent_termination"
service = "crm"
`, url+"/calls?token=secret"))
	return operator{p}, status
}

// send has the relay accept an event of a call, and waits for the outcome of its
// delivery.
func (p operator) send(t *testing.T, id string, outcome string) {
	t.Helper()
	c, err := net.Dial("unix", filepath.Join(filepath.Dir(p.path), "in.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // all was answered
	_, _ = fmt.Fprintf(c, `{"event":"agent_termination","queue":"support","id":%q,"uii":"c-%[1]s","agent_id":"7","ani":"+4930"}`+"\n", id)
	reply := make([]byte, 4096)
	n, err := c.Read(reply)
	if err != nil || !strings.HasPrefix(string(reply[:n]), `{"accepted":true`) {
		t.Fatalf("%s, %v", reply[:n], err)
	}
	await(t, id+" is "+outcome, func() bool {
		attempts, err := p.Attempts(t.Context(), "crm", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range attempts {
			if a.ID == id && a.Outcome == outcome {
				return true
			}
		}
		return false
	})
}

func TestAnOperatorChangesAService(t *testing.T) {
	p, _ := operated(t)
	state := func() string { return p.status().Services[0].State }
	for _, test := range []struct {
		service, change string
		err             error
		state           string
	}{
		{"crm", web.Pause, nil, deliver.StatePaused},
		{"crm", web.Resume, nil, deliver.StateActive},
		{"crm", web.Probe, nil, deliver.StateActive},
		{"crm", web.Drop, web.ErrRefused, deliver.StateActive},
		{"crm", "fly", web.ErrRefused, deliver.StateActive},
		{"crn", web.Pause, web.ErrNoService, deliver.StateActive},
		{"billing", web.Pause, web.ErrNoService, deliver.StateActive},
	} {
		_, err := p.change(t.Context(), test.service, test.change, "they move house")
		if !errors.Is(err, test.err) || state() != test.state {
			t.Errorf("%s %s: %v, and the service is %s", test.change, test.service, err, state())
		}
	}
	if _, err := p.change(t.Context(), "crn", web.Pause, ""); !strings.Contains(err.Error(), `did you mean "crm"?`) {
		t.Errorf("a misspelled service: %v", err)
	}
}

func TestAnOperatorSeesWhatFeedsAService(t *testing.T) {
	p, _ := operated(t)
	bindings, url := p.feeds("crm")
	if len(bindings) != 1 || !strings.Contains(bindings[0], "support") || !strings.HasSuffix(url, "/calls?…") {
		t.Errorf("bindings %q, url %s", bindings, url)
	}
}

func TestAnOperatorMendsWhatFailed(t *testing.T) {
	p, status := operated(t)
	letters := func(f web.Filter) (list []web.Letter) {
		t.Helper()
		if err := (deadLetters{p.queue, p.deadSeen}).Letters(t.Context(), f, func(l web.Letter) bool { list = append(list, l); return true }); err != nil {
			t.Fatal(err)
		}
		return list
	}
	status.Store(http.StatusBadRequest)
	p.send(t, "e1", "dead")
	p.send(t, "e2", "dead")
	list := letters(web.Filter{})
	if len(list) != 2 || list[0].ID != "e1" || list[0].Status != 400 || list[0].Reason != deliver.ReasonRejected {
		t.Fatalf("letters %+v", list)
	}
	l := list[0]
	d := deadLetters{p.queue, p.deadSeen}
	await(t, "the letter has its exchange", func() bool {
		l = list[0]
		return d.Story(t.Context(), &l) == nil && len(l.Exchanges) == 1
	})
	if len(l.Tries) != 1 || l.Try == "" || !strings.Contains(l.Exchanges[0].Sent(), "7 +4930") || !strings.Contains(l.Exchanges[0].Answer(), "as you say") {
		t.Errorf("its story %+v", l)
	}

	status.Store(http.StatusOK)
	if n, err := d.Replay(t.Context(), web.Filter{ID: "e1"}, func(web.Letter) {}); n != 1 || err != nil {
		t.Fatalf("replayed %d, %v", n, err)
	}
	await(t, "the letter was delivered", func() bool { return p.status().Services[0].Delivered == 1 })
	if n, err := d.Drop(t.Context(), web.Filter{Service: "crm"}); n != 1 || err != nil || len(letters(web.Filter{})) != 0 {
		t.Errorf("dropped %d, %v", n, err)
	}
}

func TestAnOperatorSendsAgain(t *testing.T) {
	p, _ := operated(t)
	p.send(t, "e1", "delivered")
	f := web.Filter{Service: "crm", Call: "c-e1"}
	for _, dry := range []bool{true, false} {
		if r, err := p.resend(t.Context(), f, dry, func(int) {}); err != nil || r.Delivered != 1 {
			t.Fatalf("dry %t: %+v, %v", dry, r, err)
		}
	}
	await(t, "it was delivered again", func() bool { return p.status().Services[0].Delivered == 2 })
	if _, err := p.resend(t.Context(), web.Filter{Service: "crn"}, true, func(int) {}); !errors.Is(err, web.ErrNoService) {
		t.Errorf("for a service there is not: %v", err)
	}
}

func TestAnOperatorTriesAService(t *testing.T) {
	p, status := operated(t)
	status.Store(http.StatusTeapot)
	for _, event := range []string{"", `{"event":"agent_termination","queue":"support","agent_id":"9","ani":"+1"}`} {
		x, err := p.test(t.Context(), "crm", []byte(event))
		if err != nil || !strings.Contains(x.Answer(), "as you say") || event != "" && !strings.Contains(x.Sent(), "9 +1") {
			t.Errorf("%q: %+v, %v", event, x, err)
		}
	}
	if _, err := p.test(t.Context(), "crm", []byte("{")); err == nil {
		t.Error("half an event is sent")
	}
	if _, err := p.test(t.Context(), "crn", nil); !errors.Is(err, web.ErrNoService) {
		t.Errorf("a service there is not: %v", err)
	}
}

func TestAnOperatorFollowsTheAttempts(t *testing.T) {
	p, _ := operated(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan web.Attempt, 10)
	ended := make(chan error, 1)
	go func() { ended <- p.Follow(ctx, "crm", func(a web.Attempt) { seen <- a }) }()
	for id := 0; len(seen) == 0; id++ { // until the follower listens
		p.send(t, fmt.Sprint("f", id), "delivered")
	}
	if a := <-seen; a.Service != "crm" || a.Outcome != "delivered" || a.Status != 200 {
		t.Errorf("%+v", a)
	}
	cancel()
	<-ended
	if exchanges, err := p.Transcripts(t.Context(), "crm", 1); err != nil || len(exchanges) != 1 || strings.Contains(exchanges[0].Sent(), "secret") {
		t.Errorf("%+v, %v", exchanges, err)
	}
	for _, err := range []error{p.Follow(t.Context(), "crn", func(web.Attempt) {}), func() error { _, err := p.Transcripts(t.Context(), "crn", 1); return err }()} {
		if !errors.Is(err, web.ErrNoService) {
			t.Errorf("a service there is not: %v", err)
		}
	}
}

func TestAnOperatorErasesAPerson(t *testing.T) {
	p, _ := operated(t)
	p.send(t, "e1", "delivered")
	p.send(t, "e2", "delivered")
	for _, dry := range []bool{true, false} {
		if e, err := p.erase(t.Context(), web.Person{Call: "c-e1"}, dry); err != nil || e.Calls != 1 || e.Records["EVENTS"] != 1 {
			t.Fatalf("dry %t: %+v, %v", dry, e, err)
		}
	}
	if e, err := p.erase(t.Context(), web.Person{Number: "+4930"}, true); err != nil || e.Records["EVENTS"] != 1 {
		t.Errorf("the other: %+v, %v", e, err)
	}
}

func TestAnOperatorBacksUpAndExamines(t *testing.T) {
	p, _ := operated(t)
	p.send(t, "e1", "delivered")
	files := map[string]*bytes.Buffer{}
	err := p.backup(t.Context(), func(path string) (io.Writer, error) {
		files[path] = new(bytes.Buffer)
		return files[path], nil
	})
	if err != nil || len(files) < 2 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, f := range p.doctor(t.Context()) {
		if f.Level == "error" {
			t.Errorf("doctor finds %+v", f)
		}
	}
	if text, err := json.Marshal(p.status()); err != nil || strings.Contains(string(text), "secret") {
		t.Errorf("the status shows a secret: %s, %v", text, err)
	}
}
