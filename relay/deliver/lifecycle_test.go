package deliver

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callrelay/queue"
)

func TestGonePausesTheServiceAndSaysSo(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(410, "moved out"))
	toml := service("crm", rc.URL, "")
	r := rigged(t, toml)
	r.owe("crm", names("e", 20)...)
	r.until("it is paused", func() bool { return r.status("crm").State == StatePaused })
	s := r.status("crm")
	if s.Why != "its endpoint answered 410 Gone" || s.LastError != "status 410: moved out" {
		t.Errorf("status = %+v", s)
	}
	r.until("all are held", func() bool { // a cluster counts within a second
		s := r.status("crm")
		return s.InFlight == 0 && s.Waiting+s.Retrying == 20
	})
	if n := len(r.letters("crm")); n != 0 {
		t.Errorf("%d dead letters, want none", n)
	}
	r.until("the log says so", func() bool {
		return strings.Contains(r.log.String(), `level=ERROR msg="service held until relay resume"`)
	})
	rc.respond(nil)
	r.restart(toml)
	if s := r.status("crm"); s.State != StatePaused {
		t.Errorf("state = %s after a restart, want paused", s.State)
	}
	if err := r.Resume("crm"); err != nil {
		t.Fatal(err)
	}
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 20 })
}

func TestRefusedPayloadsAreReplayedUnderTheSameID(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(422, "no such agent"))
	r := rigged(t, service("crm", rc.URL, ""))
	ids := names("e", 20)
	r.owe("crm", ids...)
	r.until("all are dead letters", func() bool { return len(r.letters("crm")) == 20 })
	for _, l := range r.letters("crm") {
		if l.Reason != ReasonRejected || l.Status != 422 || l.Attempts != 1 || l.Error != "status 422: no such agent" {
			t.Errorf("letter = %+v", l)
		}
	}
	if s := r.status("crm"); s.Breaker != BreakerClosed {
		t.Errorf("breaker %s: refused payloads must not open it", s.Breaker)
	}
	r.until("the log says so", func() bool { return strings.Contains(r.log.String(), "delivery dead") })
	if n := strings.Count(r.log.String(), "delivery dead"); n != 1 {
		t.Errorf("%d dead letters in the log, want the same failure once", n)
	}
	rc.respond(nil)
	if _, err := r.queue.Replay(t.Context(), queue.Filter{Service: "crm"}, func(queue.Letter) {}); err != nil {
		t.Fatal(err)
	}
	r.until("the replayed arrive", func() bool { return r.status("crm").Delivered == 20 })
	attempts := rc.attempts()
	for _, id := range ids {
		if attempts[id] != 2 {
			t.Errorf("%s was sent %d times, want twice", id, attempts[id])
		}
	}
	if last := rc.requests()[39]; last.Header.Get("Relay-Attempt") != "1" {
		t.Errorf("a replayed delivery starts with attempt %s", last.Header.Get("Relay-Attempt"))
	}
	total := 0
	for total < 20 { // close together, they make few events
		event := <-r.raised
		if event["event"] != "relay_dead_letter" || event["service"] != "crm" || event["reason"] != "rejected" {
			t.Fatalf("raised %v", event)
		}
		total += event["count"].(int)
	}
}

func TestARestartBeginsHalfOpen(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(503, ""))
	toml := service("crm", rc.URL, "retry_schedule = [\"1h\"]\n[service.breaker]\nopen = \"1h\"\nmax_open = \"1h\"")
	r := rigged(t, toml)
	r.owe("crm", names("e", 5)...)
	r.until("the breaker opens", func() bool { return r.status("crm").Breaker == BreakerOpen })
	before := rc.count()
	r.restart(toml)
	r.until("a probe has failed", func() bool { return rc.count() == before+1 && r.status("crm").Breaker == BreakerOpen })
	if got := rc.requests()[before].Header.Get("Relay-Attempt"); got != "2" {
		t.Errorf("the probe is attempt %s, want 2: attempts count on", got)
	}
	rc.respond(nil)
	r.restart(toml)
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 5 })
}

func TestProbeOnDemand(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(503, ""))
	r := rigged(t, service("crm", rc.URL, "[service.breaker]\nopen = \"1h\"\nmax_open = \"1h\""))
	r.owe("crm", names("e", 50)...)
	r.until("the breaker opens", func() bool { return r.status("crm").Breaker == BreakerOpen })
	if until := r.status("crm").BreakerUntil; time.Until(until) < 50*time.Minute {
		t.Errorf("open until %s", until)
	}
	rc.respond(nil)
	if err := r.Probe("crm"); err != nil {
		t.Fatal(err)
	}
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 50 })
	if err := r.Probe("nobody"); err == nil {
		t.Error("no error for a service that is not configured")
	}
}

func TestProbeWithAClosedBreakerTriesWhatWaits(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(503, ""))
	r := rigged(t, service("crm", rc.URL, `retry_schedule = ["1h"]`))
	r.owe("crm", names("e", 3)...)
	r.until("they wait for an hour", func() bool { return r.status("crm").Retrying == 3 })
	rc.respond(nil)
	if err := r.Probe("crm"); err != nil {
		t.Fatal(err)
	}
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 3 })
}

func TestServicesWithOneEndpointShareItsBreaker(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(503, ""))
	r := rigged(t, service("one", rc.URL, "[service.breaker]\nopen = \"1h\"\nmax_open = \"1h\"")+service("two", rc.URL, ""))
	r.owe("one", names("e", 10)...)
	r.until("the breaker opens", func() bool {
		return r.status("two").Breaker == BreakerOpen && r.status("one").InFlight == 0
	})
	before := rc.count()
	r.owe("two", names("f", 10)...)
	r.until("they wait", func() bool { return r.status("two").Waiting == 10 })
	if rc.count() != before {
		t.Error("the other service called the endpoint")
	}
	rc.respond(nil)
	if err := r.Probe("two"); err != nil {
		t.Fatal(err)
	}
	r.until("all are delivered", func() bool { return r.status("one").Delivered+r.status("two").Delivered == 20 })
}

func TestInactiveAndOrphanedServicesHoldWhatWaits(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	both := service("crm", rc.URL, "") + service("qa", rc.URL+"/qa", "")
	r := rigged(t, service("crm", rc.URL, "active = false")+service("qa", rc.URL+"/qa", ""))
	r.owe("crm", names("e", 10)...)
	r.until("they wait", func() bool { s := r.status("crm"); return s.State == StateInactive && s.Waiting == 10 })
	r.Apply(r.table(service("qa", rc.URL+"/qa", "")))
	r.until("it is an orphan", func() bool { s := r.status("crm"); return s.State == StateOrphaned && s.Waiting == 10 })
	if rc.count() != 0 {
		t.Error("something was delivered")
	}
	if _, exists := r.metric(`relay_attempts_total{class="2xx",service="crm"}`); exists {
		t.Error("the counters of a removed service are still there")
	}
	if v, _ := r.metric(`relay_pending{service="crm"}`); v != 10 {
		t.Errorf("relay_pending of the orphan = %v, want 10", v)
	}
	r.Apply(r.table(both))
	r.until("it takes them up again", func() bool { return r.status("crm").Delivered == 10 })
}

func TestLettersOfRemovedServicesAreCounted(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	qa := service("qa", rc.URL+"/qa", "")
	r := rigged(t, service("crm", rc.URL, "active = false")+qa)
	r.owe("crm", names("e", 3)...)
	r.until("they wait", func() bool { return r.status("crm").Waiting == 3 })
	r.Apply(r.table(qa))
	r.until("it can be dropped", func() bool {
		_, err := r.queue.Sweep(t.Context(), "crm", time.Now(), queue.Death{Reason: ReasonRemoved})
		return err == nil && len(r.letters("crm")) == 3
	})
	r.until("they are counted", func() bool {
		n, _ := r.metric(`relay_dead_letters{reason="removed",service="crm"}`)
		return n == 3
	})
	r.until("nothing waits", func() bool {
		_, exists := r.metric(`relay_pending{service="crm"}`)
		return !exists
	})
	if gone := r.Gone(r.Status()); len(gone) != 1 || gone["crm"][ReasonRemoved] != 3 {
		t.Errorf("gone are %v", gone)
	}
}

func TestWhatWaitsExpires(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	toml := "[defaults]\nmax_age = \"300ms\"\n" + service("paused", rc.URL, "") + service("gone", rc.URL+"/g", "") +
		service("down", "http://127.0.0.1:1/", "[service.breaker]\nfailures = 1\nopen = \"1h\"\nmax_open = \"1h\"")
	r := rigged(t, toml)
	for _, name := range []string{"paused", "gone"} {
		if err := r.Pause(name, "test"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"paused", "gone", "down"} {
		r.owe(name, names("e", 50)...)
	}
	r.Apply(r.table(strings.Replace(toml, service("gone", rc.URL+"/g", ""), "", 1)))
	for _, name := range []string{"paused", "gone", "down"} {
		r.until(name+" has expired", func() bool { return len(r.letters(name)) == 50 })
		for _, l := range r.letters(name) {
			if l.Reason != ReasonExpired {
				t.Errorf("%s: %+v", name, l)
			}
		}
	}
	if v, _ := r.metric(`relay_deliveries_total{outcome="dead",service="paused"}`); v != 50 {
		t.Errorf("relay_deliveries_total = %v, want 50", v)
	}
	if rc.count() != 0 {
		t.Error("something was delivered")
	}
}

func TestEverySeriesExistsFromTheStart(t *testing.T) {
	t.Parallel()
	r := rigged(t, service("crm", "http://127.0.0.1:1/", ""))
	series := []string{
		`relay_attempt_seconds{service="crm"}`, `relay_delivery_lag_seconds{service="crm"}`, `relay_pending{service="crm"}`,
		`relay_oldest_seconds{service="crm"}`, `relay_retrying{service="crm"}`, `relay_breaker_state{service="crm"}`,
	}
	for _, outcome := range []string{"delivered", "retry", "dead"} {
		series = append(series, fmt.Sprintf(`relay_deliveries_total{outcome=%q,service="crm"}`, outcome))
	}
	for _, class := range []string{"2xx", "3xx", "4xx", "429", "5xx", "timeout", "connect", "tls", "fault", "blocked"} {
		series = append(series, fmt.Sprintf(`relay_attempts_total{class=%q,service="crm"}`, class))
	}
	for _, reason := range []string{"rejected", "expired", "render", "overflow", "removed"} {
		series = append(series, fmt.Sprintf(`relay_dead_letters{reason=%q,service="crm"}`, reason))
	}
	for _, name := range series {
		if v, exists := r.metric(name); !exists || v != 0 {
			t.Errorf("%s = %v, exists %v; want 0 from the start", name, v, exists)
		}
	}
}

func TestReloadsUnderLoadLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	one, two := newReceiver(t), newReceiver(t)
	toml := func(i int) string { return service("crm", []string{one.URL, two.URL}[i%2], "") }
	r := rigged(t, toml(0))
	var sent atomic.Int64
	var stop atomic.Bool
	var load sync.WaitGroup
	load.Go(func() {
		for i := 0; !stop.Load(); i++ {
			var recs []queue.Record
			for _, id := range names(fmt.Sprint("r", i), 10) {
				recs = append(recs, record("crm", id, ""))
			}
			if err := r.queue.Write(t.Context(), recs); err != nil {
				t.Error(err)
				return
			}
			sent.Add(10)
		}
	})
	for i := range 40 {
		r.Apply(r.table(toml(i + 1)))
		if at := []*receiver{two, one}[i%2]; i < 2 {
			r.until("the endpoint is called", func() bool { return at.count() > 0 })
		}
	}
	stop.Store(true)
	load.Wait()
	n := int(sent.Load())
	r.until("all arrive", func() bool { return one.count()+two.count() >= n })
	distinct := map[string]bool{}
	for _, rc := range []*receiver{one, two} {
		for id := range rc.attempts() {
			distinct[id] = true
		}
	}
	if total := one.count() + two.count(); total != n || len(distinct) != n {
		t.Errorf("%d requests of %d events for %d owed", total, len(distinct), n)
	}
	if one.count() == 0 || two.count() == 0 {
		t.Errorf("%d and %d: want both endpoints to have some", one.count(), two.count())
	}
}

func TestACallIsDeliveredInOrder(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	var n atomic.Int64
	rc.respond(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%3 == 0 {
			w.WriteHeader(500)
		}
	})
	r := rigged(t, service("crm", rc.URL, "order = \"call\"\nretry_schedule = [\"5ms\"]\n[service.breaker]\nratio = 1.0\nfailures = 100"))
	const calls, segments = 20, 10
	var recs []queue.Record
	for segment := range segments {
		for c := range calls {
			rec := record("crm", fmt.Sprintf("%02d/%d", c, segment), "")
			rec.Call = fmt.Sprint("call-", c)
			recs = append(recs, rec)
		}
	}
	r.write(recs...)
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == calls*segments })
	last := map[string]string{}
	for _, got := range rc.requests() {
		id := got.Header.Get("Webhook-Id")
		if id < last[id[:2]] {
			t.Errorf("%s came after %s", id, last[id[:2]])
		}
		last[id[:2]] = id
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	entered, leave := make(chan struct{}, 8), make(chan struct{})
	rc.respond(func(http.ResponseWriter, *http.Request) {
		select {
		case entered <- struct{}{}:
		default:
		}
		<-leave
	})
	r := rigged(t, service("crm", rc.URL, ""))
	r.owe("crm", names("e", 30)...)
	<-entered
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	r.until("no attempt begins any more", func() bool {
		run := r.runner("crm")
		run.mu.Lock()
		defer run.mu.Unlock()
		return run.closed
	})
	close(leave)
	<-stopped
	under := rc.count()
	r.start(service("crm", rc.URL, ""))
	r.until("the rest is delivered", func() bool { return rc.count() == 30 })
	for id, times := range rc.attempts() {
		if times != 1 {
			t.Errorf("%s was sent %d times", id, times)
		}
	}
	if under == 30 {
		t.Error("all were sent before the stop")
	}
}

func TestAbortGivesBackWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	entered := make(chan struct{}, 8)
	rc.respond(func(_ http.ResponseWriter, r *http.Request) { entered <- struct{}{}; <-r.Context().Done() })
	r := rigged(t, service("crm", rc.URL, ""))
	r.owe("crm", names("e", 3)...)
	<-entered
	r.abort()
	r.stop()
	rc.respond(nil)
	r.start(service("crm", rc.URL, ""))
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 3 })
	if dead := len(r.letters("crm")); dead != 0 {
		t.Errorf("%d dead letters", dead)
	}
}

func TestHangingAndDrippingEndpointsTimeOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
	}{
		{"no answer", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"a body that never ends", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-r.Context().Done():
					return
				case <-tick.C:
					_, _ = w.Write([]byte("."))
					_ = http.NewResponseController(w).Flush()
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rc := newReceiver(t)
			rc.respond(test.answer)
			r := rigged(t, service("crm", rc.URL, "timeout = \"150ms\""))
			r.owe("crm", "a")
			r.until("the attempt is counted", func() bool {
				v, _ := r.metric(`relay_attempts_total{class="timeout",service="crm"}`)
				return v == 1
			})
			if got := r.status("crm").LastError; !strings.HasPrefix(got, "no whole answer within 150ms") {
				t.Errorf("error = %q", got)
			}
			if p99 := r.status("crm").P99; p99 > 5 {
				t.Errorf("the attempt took %v s", p99)
			}
		})
	}
}

// Its status says that the endpoint took the event, so it is not called again.
func TestASuccessWhoseBodyIsCutOffIsDelivered(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("ok"))
		_ = http.NewResponseController(w).Flush()
		if r.Header.Get("Webhook-Id") == "hangs" {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	})
	r := rigged(t, service("crm", rc.URL, "timeout = \"150ms\"\nretry_schedule = [\"10ms\"]"))
	r.owe("crm", "breaks", "hangs")
	r.until("both are delivered", func() bool { return r.status("crm").Delivered == 2 })
	if rc.count() != 2 {
		t.Errorf("%d calls, want one each", rc.count())
	}
}

func TestALongAnswerIsNotReadToItsEnd(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	var written atomic.Int64
	rc.respond(func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			n, err := w.Write(make([]byte, 64<<10))
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	r := rigged(t, service("crm", rc.URL, "max_response = \"4KiB\""))
	r.owe("crm", "a")
	r.until("it is delivered", func() bool { return r.status("crm").Delivered == 1 })
	if n := written.Load(); n > 32<<20 {
		t.Errorf("%d bytes were read", n)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	r := rigged(t, service("crm", rc.URL, "concurrency = 4"))
	r.owe("crm", names("e", 200)...)
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 200 })
	peers := map[string]bool{}
	for _, got := range rc.requests() {
		peers[got.RemoteAddr] = true
	}
	if len(peers) > 8 {
		t.Errorf("%d connections for 200 attempts with 4 places", len(peers))
	}
}

func TestDebugKeepsExchangesAndEndsByItself(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(200, "thanks"))
	toml := service("crm", rc.URL, "debug = \"1h\"")
	r := rigged(t, toml)
	r.owe("crm", "a")
	r.until("the exchange is kept", func() bool {
		records, err := r.queue.History(t.Context(), queue.Debug, "crm", 10)
		return err == nil && len(records) == 1 && strings.Contains(string(records[0].Body), `"body":"thanks"`) &&
			strings.Contains(string(records[0].Body), `"outcome":"delivered"`)
	})
	s := r.runner("crm").setup.Load()
	if !s.debug(time.Now()) || s.debug(time.Now().Add(time.Hour)) {
		t.Error("debug does not last its hour, and no longer")
	}
	r.Apply(r.table(toml))
	if again := r.runner("crm").setup.Load(); !again.debugEnd.Equal(s.debugEnd) {
		t.Error("a reload that leaves debug as it is prolongs it")
	}
}

func TestOperationalEventsDoNotFeedThemselves(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(503, ""))
	r := rigged(t, service("alarm", rc.URL, "[service.breaker]\nopen = \"10ms\"\nmax_open = \"10ms\""))
	var recs []queue.Record
	for _, id := range names("e", 5) {
		rec := record("alarm", id, "")
		rec.Event = "relay_breaker_opened"
		rec.Body = []byte(strings.Replace(string(rec.Body), "agent_termination", rec.Event, 1))
		recs = append(recs, rec)
	}
	r.write(recs...)
	r.until("the breaker has opened", func() bool { return strings.Contains(r.log.String(), "breaker opened") })
	rc.respond(status(422, ""))
	r.until("all are dead letters", func() bool { return len(r.letters("alarm")) == 5 })
	if strings.Contains(r.log.String(), "not raised") || len(r.raised) != 0 {
		t.Errorf("raised %v", <-r.raised)
	}
}

func TestPreviewAndTest(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(status(422, "no such agent"))
	r := rigged(t, service("crm", rc.URL, "headers = { X-Queue = \"#queue|upper#\" }\n[service.auth]\nbearer = \"top-secret\""))
	e := eventOf(t, `{"event":"relay_test","id":"t1","queue":"support","agent_id":1401}`)
	p, err := r.Preview(r.table(service("crm", rc.URL, "headers = { X-Queue = \"#queue|upper#\" }\n[service.auth]\nbearer = \"top-secret\"")).Service("crm"), e)
	if err != nil {
		t.Fatal(err)
	}
	if p.Request.Body != `{"agent": "1401"}` || p.Request.Headers.Get("X-Queue") != "SUPPORT" ||
		p.Request.Headers.Get("Authorization") != "Bearer ***" || len(p.Steps) != 2 {
		t.Errorf("preview = %+v", p)
	}
	if rc.count() != 0 {
		t.Error("a preview called the endpoint")
	}
	x, err := r.Test(context.Background(), "crm", e)
	if err != nil {
		t.Fatal(err)
	}
	if x.Outcome != "dead" || x.Response.Status != 422 || x.Response.Body != "no such agent" || x.Request.Headers.Get("Authorization") != "Bearer ***" {
		t.Errorf("exchange = %+v", x)
	}
	if got := rc.requests()[0].Header.Get("Authorization"); got != "Bearer top-secret" {
		t.Errorf("sent %q", got)
	}
	if len(r.letters("crm")) != 0 {
		t.Error("a test is owed to nobody")
	}
	if _, err := r.Test(context.Background(), "nobody", e); err == nil {
		t.Error("no error for a service that is not configured")
	}
}

func TestWhatCannotBeRenderedIsADeadLetter(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	toml := strings.Replace(service("crm", rc.URL, "missing = \"reject\""), "#agent_id#", "#no_such_tag#", 1)
	r := rigged(t, toml)
	r.owe("crm", names("e", 3)...)
	r.until("they are dead letters", func() bool { return len(r.letters("crm")) == 3 })
	if l := r.letters("crm")[0]; l.Reason != ReasonRender || l.Attempts != 0 || !strings.Contains(l.Error, "no_such_tag") {
		t.Errorf("letter = %+v", l)
	}
	if rc.count() != 0 {
		t.Error("the endpoint was called")
	}
	if s := r.status("crm"); s.Breaker != BreakerClosed {
		t.Errorf("breaker %s", s.Breaker)
	}
}

func TestSoapFaultsEndAsTheContractSays(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	rc.respond(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("Webhook-Id")
		switch {
		case id == "client":
			status(500, fault11("soap:Client"))(w, r)
		case id == "server" && r.Header.Get("Relay-Attempt") == "1":
			status(200, fault11("soap:Server"))(w, r)
		case id == "cut" && r.Header.Get("Relay-Attempt") == "1":
			status(200, in(envelope11, "<ok/>")[:100])(w, r)
		default:
			status(200, in(envelope11, "<ok/>"))(w, r)
		}
	})
	r := rigged(t, fmt.Sprintf("[[service]]\nname = \"crm\"\ntype = \"soap\"\nurl = %q\nretry_schedule = [\"10ms\"]\n[service.soap]\nunreadable = \"retry\"\n"+
		"operation = \"Add\"\nnamespace = \"urn:crm\"\naction = \"urn:crm#Add\"\nparams = { agent = \"#agent_id#\" }", rc.URL))
	r.owe("crm", "client", "server", "cut", "good")
	r.until("all have ended", func() bool { return r.status("crm").Delivered == 3 && len(r.letters("crm")) == 1 })
	l := r.letters("crm")[0]
	if l.ID != "client" || l.Error != "fault soap:Client: no such agent & so on" {
		t.Errorf("letter = %+v", l)
	}
	if v, _ := r.metric(`relay_attempts_total{class="fault",service="crm"}`); v != 3 {
		t.Errorf("%v faults counted, want 3", v)
	}
	first := rc.requests()[slices.IndexFunc(rc.requests(), func(got received) bool { return got.Header.Get("Webhook-Id") == "good" })]
	if got := first.Header.Get("Soapaction"); got != `"urn:crm#Add"` || !strings.HasPrefix(first.Header.Get("Content-Type"), "text/xml") {
		t.Errorf("SOAPAction %s, Content-Type %s", got, first.Header.Get("Content-Type"))
	}
}

func TestStatusBesideReloadsPausesAndScrapes(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	one, both := service("crm", rc.URL, ""), service("crm", rc.URL, "")+service("qa", rc.URL+"/qa", "")
	r := rigged(t, one)
	r.owe("crm", names("e", 100)...)
	var stop atomic.Bool
	var work sync.WaitGroup
	work.Go(func() {
		for !stop.Load() {
			for _, s := range r.Status() {
				if s.State == "" {
					t.Error("a status without a state")
				}
			}
			_, _ = r.metric(`relay_pending{service="qa"}`)
		}
	})
	work.Go(func() {
		for !stop.Load() {
			if err := r.Pause("qa", "test"); err != nil {
				t.Error(err)
			}
			if err := r.Resume("qa"); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 20 {
		r.Apply(r.table([]string{both, one}[i%2]))
	}
	stop.Store(true)
	work.Wait()
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 100 })
}
