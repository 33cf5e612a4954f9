package web

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"callrelay/queue"
)

const testToken = "open sesame"

// visitor is a browser without scripts.
type visitor struct {
	t      *testing.T
	server *Server
	base   string
	http   *http.Client
}

func newVisitor(t *testing.T, relay Relay, token string) *visitor {
	t.Helper()
	s := startServer(t, relay, func(o *Options) { o.Token = func() string { return token } })
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, server: s, base: "http://" + s.Addr().String(), http: &http.Client{Jar: jar}}
}

func (v *visitor) do(req *http.Request, err error) (int, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	reply, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

func (v *visitor) get(path string) (int, string) {
	v.t.Helper()
	return v.do(http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, nil))
}

// post sends a form, from a page of that origin when it is not empty.
func (v *visitor) post(path, origin string, form url.Values) (int, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			req.Header.Set("Origin", origin)
		}
	}
	return v.do(req, err)
}

func (v *visitor) signIn() {
	v.t.Helper()
	if _, body := v.post("/login", v.base, url.Values{"token": {testToken}}); !strings.Contains(body, "Sign out") {
		v.t.Fatalf("not signed in: %s", body)
	}
}

func TestPageWithoutTokenShowsCountsAndStatesOnly(t *testing.T) {
	for _, token := range []string{"", testToken} {
		relay, services, _ := fakeRelay()
		v := newVisitor(t, relay, token)
		_, body := v.get("/")
		for _, want := range []string{"crm", "open", ">7<"} {
			if !strings.Contains(body, want) {
				t.Errorf("token %q: page lacks %q", token, want)
			}
		}
		if strings.Contains(body, "connection refused") {
			t.Errorf("token %q: page shows the last error", token)
		}
		for _, path := range []string{"/services/crm", "/dead", "/config", "/live/crm"} {
			if _, body := v.get(path); strings.Contains(body, "field") || strings.Contains(body, "socket") {
				t.Errorf("token %q: %s shows %s", token, path, body)
			}
		}
		for _, path := range []string{"/services/crm/pause", "/dead/replay", "/reload"} {
			if status, _ := v.post(path, v.base, nil); status != 401 && status != 403 {
				t.Errorf("token %q: POST %s = %d", token, path, status)
			}
		}
		if len(services.called) > 0 {
			t.Errorf("token %q: called %v", token, services.called)
		}
	}
}

func TestPageShowsSourcesAndTroubles(t *testing.T) {
	relay, _, _ := fakeRelay()
	status := relay.Status
	relay.Status = func() Status {
		st := status()
		for i := range shownTroubles + 3 {
			st.Services = append(st.Services, Service{Name: fmt.Sprintf("old-%02d", i), State: "orphaned", HeldBy: "orphaned", Waiting: 1200})
		}
		st.Services = append(st.Services, Service{Name: "gone", State: "paused", HeldBy: "paused", Waiting: 9000})
		st.Sources = []Source{{Name: "pbx1", Type: "asterisk", State: "disconnected", Behind: 2.5, Turned: 41, Unturned: 3, Problem: "no <queue>", Gaps: 1, LastError: "connection refused"}}
		st.Judge()
		return st
	}
	v := newVisitor(t, relay, testToken)
	_, body := v.get("/")
	for _, want := range []string{"9,000 deliveries wait", "<li>and 6 more</li>", "pbx1", `"state disconnected"`, ">2.5s<", ">41<", `state paused">held up`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	if strings.Index(body, `scope="row">gone`) > strings.Index(body, `scope="row">old-00`) {
		t.Error("the service that owes most is not the first row")
	}
	for _, secret := range []string{"connection refused", "&lt;queue&gt;", "Resume"} {
		if strings.Contains(body, secret) {
			t.Errorf("without the token it shows %q", secret)
		}
	}
	v.signIn()
	_, body = v.get("/")
	for _, want := range []string{"Not understood, the last: no &lt;queue&gt;", `action="/services/gone/resume"`, "put it back and reload, or relay drop old-00"} {
		if !strings.Contains(body, want) {
			t.Errorf("who knows the token sees no %q in %s", want, body)
		}
	}
}

func TestPageGroupsDeadLetters(t *testing.T) {
	st := Status{Services: []Service{{Name: "crm", Dead: map[string]int{"rejected": 2, "expired": 7}}}, Gone: map[string]map[string]int{"old": {"removed": 1}}}
	letter := func(reason, text string) Letter {
		return Letter{Letter: queue.Letter{Record: queue.Record{Service: "crm"}, Reason: reason, Error: text}}
	}
	letters := []Letter{letter("rejected", "no agent"), letter("rejected", "no agent")}
	for i := range 8 {
		letters = append(letters, letter("expired", fmt.Sprint("e", max(0, i-2))))
	}
	var got []string
	for _, g := range groupLetters(st, Filter{}, letters) {
		got = append(got, fmt.Sprint(g.Service, " ", g.Reason, " ", g.Total, " ", g.Errors))
	}
	want := []string{"crm expired 7 [{e0 3} {other errors 2} {e1 1} {e2 1} {e3 1}]", "crm rejected 2 [{no agent 2}]", "old removed 1 []"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(groupLetters(st, Filter{Service: "old"}, nil)); n != 1 {
		t.Errorf("%d groups of one service with one reason", n)
	}
}

func TestSparks(t *testing.T) {
	at := time.Unix(6000, 0)
	s := newSparks(Service{})
	s.add(at, outcomes{4, 0})
	s.add(at.Add(time.Minute), outcomes{4, 2})
	s.add(at.Add(time.Minute), outcomes{1, 1}) // the relay counts anew
	if got := s.hour.spark(at.Add(time.Minute), "hour"); got.Text != "5 delivered, 3 failed in the last hour" || strings.Count(got.Good, "M") != 2 || strings.Count(got.Bad, "M") != 1 {
		t.Errorf("got %+v", got)
	}
	if got := s.hour.spark(at.Add(60*time.Minute), "hour"); got.Text != "1 delivered, 3 failed in the last hour" {
		t.Errorf("an hour after the first minute: %+v", got)
	}
	if got := s.day.spark(at.Add(72*time.Hour), "day"); got != (Spark{Text: "0 delivered, 0 failed in the last day"}) {
		t.Errorf("days later: %+v", got)
	}
}

func TestWords(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for ago, want := range map[time.Duration]string{
		0: "0 seconds", time.Second: "1 second", 59 * time.Second: "59 seconds", 61 * time.Second: "1 minute", 2 * time.Hour: "2 hours",
		3*time.Hour + 5*time.Minute + time.Second: "3 hours 5 minutes", 49 * time.Hour: "2 days 1 hour",
	} {
		if got := Words(now.Add(-ago), now); got != want {
			t.Errorf("%v: got %q, want %q", ago, got, want)
		}
	}
	if got := Words(time.Time{}, now); got != "-" {
		t.Errorf("no time: %q", got)
	}
}

func TestPageKeepsTheFilterAfterAChange(t *testing.T) {
	relay, _, _ := fakeRelay()
	v := newVisitor(t, relay, testToken)
	v.signIn()
	_, body := v.post("/dead/replay?service=crm", v.base, url.Values{"seq": {"2"}})
	if !strings.Contains(body, "Replayed 3.") || !strings.Contains(body, "<option selected>crm") {
		t.Errorf("got %s", body)
	}
}

func TestPageShowsAllToWhoKnowsTheToken(t *testing.T) {
	relay, _, _ := fakeRelay()
	v := newVisitor(t, relay, testToken)
	v.signIn()
	for _, test := range []struct{ path, want string }{
		{"/", "connection refused"},
		{"/services/crm", "try later"},
		{"/dead", "no &lt;such&gt; field"},
		{"/dead?service=crm&reason=rejected", `value="1" aria-label`},
		{"/dead?service=crn", "no such service: &#34;crn&#34; (did you mean &#34;crm&#34;?"},
		{"/config", "token = &#34;***&#34;"},
	} {
		status, body := v.get(test.path)
		if status != 200 || !strings.Contains(body, test.want) {
			t.Errorf("GET %s = %d without %q:\n%s", test.path, status, test.want, body)
		}
	}
	if status, _ := v.get("/services/nobody"); status != 404 {
		t.Errorf("unknown service: %d, want 404", status)
	}
}

// Guesses are slowed, and whoever knows the token gets in meanwhile.
func TestPageRefusesAWrongToken(t *testing.T) {
	relay, _, _ := fakeRelay()
	v := newVisitor(t, relay, testToken)
	v.server.door.guesses.Delay = 0
	for range loginsAtOnce {
		if _, body := v.post("/login", v.base, url.Values{"token": {"guess"}}); !strings.Contains(body, "not the token") {
			t.Fatalf("got %s", body)
		}
	}
	if status, _ := v.post("/login", v.base, url.Values{"token": {"guess"}}); status != http.StatusTooManyRequests {
		t.Errorf("after %d guesses: %d, want 429", loginsAtOnce, status)
	}
	if status := v.bearer("/dead", "guess"); status != http.StatusTooManyRequests {
		t.Errorf("a guess by another door: %d, want 429", status)
	}
	if status := v.bearer("/dead", testToken); status != http.StatusOK {
		t.Errorf("the token itself: %d, want 200", status)
	}
	if status, body := v.post("/login", v.base, url.Values{"token": {testToken}}); status != http.StatusOK || !strings.Contains(body, "Sign out") {
		t.Errorf("signing in: %d\n%s", status, body)
	}
}

// bearer asks for a path with a token and returns the status.
func (v *visitor) bearer(path, token string) int {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.base+path, nil)
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	status, _ := v.do(req, err)
	return status
}

func TestPageTakesTheTokenAsBearer(t *testing.T) {
	relay, _, _ := fakeRelay()
	v := newVisitor(t, relay, testToken)
	for token, want := range map[string]bool{testToken: true, "guess": false, "": false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if _, body := v.do(req, nil); strings.Contains(body, "connection refused") != want {
			t.Errorf("token %q: all shown = %v, want %v", token, !want, want)
		}
	}
}

func TestPageEndsSessions(t *testing.T) {
	token := testToken
	d := newDoor(func() string { return token }, nil)
	enter := func() *http.Request {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		d.enter(w)
		r.AddCookie(w.Result().Cookies()[0])
		if !d.knows(r) {
			t.Fatal("a new session is not known")
		}
		return r
	}
	r := enter()
	if token = "another"; d.knows(r) {
		t.Error("a session outlives its token")
	}
	if token = ""; d.knows(r) {
		t.Error("a session is known where there is no token")
	}
	token = testToken
	for id, s := range d.sessions {
		s.until = time.Now()
		d.sessions[id] = s
	}
	if d.knows(r) {
		t.Error("a session outlives its time")
	}
	one, other := enter(), enter()
	if d.leave(httptest.NewRecorder(), one); d.knows(one) || !d.knows(other) {
		t.Errorf("signed out: known %v, the other session %v", d.knows(one), d.knows(other))
	}
	for range maxSessions {
		enter()
	}
	if len(d.sessions) != maxSessions || d.knows(other) {
		t.Errorf("%d sessions are remembered, the oldest %v", len(d.sessions), d.knows(other))
	}
}

// Visitors beyond the limit are told so, and health is answered meanwhile.
func TestPageStreamsToSoMany(t *testing.T) {
	relay, _, _ := fakeRelay()
	v := newVisitor(t, relay, testToken)
	v.http.Timeout = 0
	for range maxVisitors {
		reply, err := v.http.Get(v.base + "/live")
		if err != nil || reply.StatusCode != http.StatusOK {
			t.Fatalf("a visitor is told %v, %v", reply, err)
		}
		t.Cleanup(func() { _ = reply.Body.Close() })
	}
	if status, _ := v.get("/live"); status != http.StatusServiceUnavailable {
		t.Errorf("one more is told %d, want 503", status)
	}
	if status, _ := v.get("/healthz"); status != http.StatusOK {
		t.Errorf("health is told %d, want 200", status)
	}
	v.signIn()
	reply, err := v.http.Get(v.base + "/live")
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("who knows the token is told %v, %v", reply, err)
	}
	_ = reply.Body.Close()
}

func TestPageShowsALetterWhole(t *testing.T) {
	relay, _, letters := fakeRelay()
	v := newVisitor(t, relay, testToken)
	v.signIn()
	status, body := v.get("/dead/1")
	for _, want := range []string{"Dead letter 1", "what was sent", "no &lt;such&gt; field", "agent_termination", "Replay it"} {
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d, the page lacks %q:\n%s", status, want, body)
		}
	}
	letters.letters = nil
	if status, _ := v.get("/dead/1"); status != http.StatusNotFound {
		t.Errorf("of one that is gone: %d", status)
	}
}

func TestPageChangesThings(t *testing.T) {
	for _, test := range []struct {
		name, path string
		form       url.Values
		want       string // on the page that follows
	}{
		{"pause", "/services/crm/pause", nil, "Paused."},
		{"resume", "/services/crm/resume", nil, "Resumed."},
		{"probe", "/services/crm/probe", nil, "Probing."},
		{"drop of a configured service", "/services/crm/drop", nil, "is configured"},
		{"send again", "/services/crm/replay", url.Values{"since": {"2026-01-31T15:00"}}, "Put back: 1,236"},
		{"send again since no time", "/services/crm/replay", url.Values{"since": {""}}, "Since when?"},
		{"send again since another", "/services/crm/replay", url.Values{"since": {"soon"}}, "not an RFC 3339 time"},
		{"send again, broken off", "/services/billing/replay", url.Values{"since": {"2026-01-31T15:00"}}, "put back: 2 (2 delivered before), then: the disk is full"},
		{"reload", "/reload", nil, "Refused"},
		{"replay of the chosen", "/dead/replay", url.Values{"seq": {"1", "2"}}, "Replayed 3. Warning: put back for no configured service, so orphaned again: what is of removed."},
		{"drop of all that match", "/dead/drop", url.Values{"matching": {"1"}, "service": {"crm"}, "sure": {"1"}}, "Dropped 3."},
		{"drop of all, unsure", "/dead/drop", url.Values{"matching": {"1"}}, "nothing was done"},
		{"replay of none", "/dead/replay", nil, "no letter was chosen"},
	} {
		t.Run(test.name, func(t *testing.T) {
			relay, _, letters := fakeRelay()
			letters.letters[0].Service = "removed"
			v := newVisitor(t, relay, testToken)
			v.signIn()
			if _, body := v.post(test.path, v.base, test.form); !strings.Contains(body, test.want) {
				t.Errorf("page lacks %q:\n%s", test.want, body)
			}
			if _, body := v.get("/"); strings.Contains(body, test.want) {
				t.Error("told twice")
			}
		})
	}
}

func TestPageIsNotChangedFromElsewhere(t *testing.T) {
	relay, services, _ := fakeRelay()
	v := newVisitor(t, relay, testToken)
	v.signIn()
	if status, _ := v.post("/services/crm/pause", "http://evil.example.com", nil); status != http.StatusForbidden {
		t.Errorf("foreign origin: %d, want 403", status)
	}
	if len(services.called) > 0 {
		t.Errorf("called %v", services.called)
	}
}

func TestPageStreams(t *testing.T) {
	relay, _, _ := fakeRelay()
	v := newVisitor(t, relay, testToken)
	v.signIn()
	for _, path := range []string{"/live", "/live/crm"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := v.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(reply.Body).ReadString('\n')
		if err != nil || line != "event: page\n" {
			t.Errorf("%s: first line %q, %v", path, line, err)
		}
		_ = reply.Body.Close()
	}
}

func TestPageIsLockedDown(t *testing.T) {
	relay, _, _ := fakeRelay()
	v := newVisitor(t, relay, "")
	for _, path := range []string{"/", "/page/style.css", "/page/live.js", "/login"} {
		reply, err := v.http.Get(v.base + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != 200 || !strings.Contains(reply.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d, %v", path, reply.StatusCode, reply.Header)
		}
	}
	if status, _ := v.get("/page/layout.html"); status != 404 {
		t.Errorf("templates are served: %d", status)
	}
}
