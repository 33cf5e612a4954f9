package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAnUnavailableEndpointHoldsAllAndSlowsNobody(t *testing.T) {
	sick, well := newReceiver(t), newReceiver(t)
	sick.status(http.StatusServiceUnavailable)
	r := startRelay(t, service("sick", sick.URL, "[service.breaker]\nopen = \"1s\"")+service("well", well.URL, ""))
	const n = 500
	r.accept(numbered("u", "agent_termination", n)...)
	r.until("the healthy service has all", func() bool { _, got := well.total(); return got == n })
	r.until("the breaker is open", func() bool { return r.metric(`relay_breaker_state{service="sick"}`) == "2" })
	if refused := sick.refusals(); refused > 20 {
		t.Errorf("%d attempts at an endpoint that answers 503, want a handful", refused)
	}
	if pending := r.metric(`relay_pending{service="sick"}`); pending != "500" {
		t.Errorf("relay_pending = %s, want 500", pending)
	}
	sick.status(http.StatusOK)
	mended := time.Now()
	r.until("everything is there", func() bool { _, got := sick.total(); return got == n })
	t.Logf("all there %s after the endpoint was mended", time.Since(mended).Round(time.Millisecond))
	for _, at := range []*receiver{sick, well} {
		if total, distinct := at.total(); total != distinct {
			t.Errorf("%d deliveries of %d events", total, distinct)
		}
	}
}

func TestAWrongPasswordHoldsUntilAReloadCorrectsIt(t *testing.T) {
	at := newReceiver(t)
	at.answers(func(w http.ResponseWriter, q *http.Request) {
		if _, password, _ := q.BasicAuth(); password != "right-one" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	config := func(password string) string {
		return service("crm", at.URL, "[service.auth]\nbasic = { user = \"relay\", password = \""+password+"\" }")
	}
	r := startRelay(t, config("wrong-one"))
	ids := r.accept(numbered("p", "agent_termination", 100)...)
	r.until("the breaker is open", func() bool { return r.metric(`relay_breaker_state{service="crm"}`) == "2" })
	r.reload(config("right-one"))
	r.until("everything drains", func() bool { _, n := at.total(); return n == len(ids) })
	if dead := r.metric(`relay_dead_letters{reason="rejected",service="crm"}`); dead != "0" {
		t.Errorf("dead letters = %s, want 0", dead)
	}
	status, _ := r.run("status")
	for _, where := range []string{r.log.String(), status, r.page("/metrics")} {
		if strings.Contains(where, "wrong-one") || strings.Contains(where, "right-one") {
			t.Errorf("a password shows in:\n%s", where)
		}
	}
}

func TestRefusedPayloadsAreKeptAndReplayedUnderTheSameID(t *testing.T) {
	at := newReceiver(t)
	at.status(http.StatusUnprocessableEntity)
	r := startRelay(t, service("crm", at.URL, ""))
	ids := r.accept(numbered("d", "agent_termination", 20)...)
	r.until("all are dead letters", func() bool {
		return r.metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "20"
	})
	if out, code := r.run("dead", "list"); code != 0 || !strings.Contains(out, "rejected") || !strings.Contains(out, "422") {
		t.Errorf("relay dead list = %d:\n%s", code, out)
	}
	if got := r.metric(`relay_breaker_state{service="crm"}`); got != "0" {
		t.Errorf("breaker state %s: refused payloads must not open it", got)
	}
	at.status(http.StatusOK)
	if out, code := r.run("dead", "replay", "--service", "crm"); code != 0 {
		t.Fatalf("relay dead replay = %d:\n%s", code, out)
	}
	r.until("the replayed arrive", func() bool { n, _ := at.total(); return n == len(ids) })
	wantAll(t, at, ids)
	r.until("no dead letter is left", func() bool {
		return r.metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "0"
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	at := newReceiver(t)
	var times []time.Time
	at.answers(func(w http.ResponseWriter, _ *http.Request) {
		at.mu.Lock()
		defer at.mu.Unlock()
		times = append(times, time.Now())
		if len(times) == 1 {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r := startRelay(t, service("crm", at.URL, "retry_schedule = [\"100ms\"]"))
	ids := r.accept(numbered("a", "agent_termination", 1)...)
	r.until("it arrives", func() bool { return at.counts()[ids[0]] == 1 })
	at.mu.Lock()
	defer at.mu.Unlock()
	if waited := times[1].Sub(times[0]); waited < 3*time.Second || waited > 6*time.Second {
		t.Errorf("the second attempt came after %s, want 3s and little more", waited)
	}
	if got := at.accepted[0].Header.Get("Relay-Attempt"); got != "2" {
		t.Errorf("Relay-Attempt = %q, want 2", got)
	}
}

func TestPauseHoldsAndResumeDelivers(t *testing.T) {
	at := newReceiver(t)
	r := startRelay(t, service("crm", at.URL, ""))
	if out, code := r.run("pause", "crm"); code != 0 {
		t.Fatalf("relay pause = %d: %s", code, out)
	}
	ids := r.accept(numbered("h", "agent_termination", 10)...)
	r.until("they wait", func() bool { return r.metric(`relay_pending{service="crm"}`) == "10" })
	r.kill()
	r.start() // a pause outlasts a crash
	if out, _ := r.run("status"); !strings.Contains(out, "paused") {
		t.Errorf("relay status does not say that crm is paused:\n%s", out)
	}
	if out, code := r.run("resume", "crm"); code != 0 {
		t.Fatalf("relay resume = %d: %s", code, out)
	}
	r.until("they arrive", func() bool { _, n := at.total(); return n == len(ids) })
}

func TestAnOrphanIsKeptUntilItIsDroppedOrReturns(t *testing.T) {
	at := newReceiver(t)
	with := service("crm", at.URL, "") + service("qa", at.URL+"/qa", "")
	without := service("qa", at.URL+"/qa", "")
	r := startRelay(t, with)
	r.run("pause", "crm")
	r.accept(numbered("o", "agent_termination", 10)...)
	r.reload(without)
	if out, _ := r.run("status"); !strings.Contains(out, "orphaned") {
		t.Errorf("relay status does not show the orphan:\n%s", out)
	}
	if out, code := r.run("drop", "crm"); code != 0 {
		t.Fatalf("relay drop = %d: %s", code, out)
	}
	if out, _ := r.run("dead", "list", "--reason", "removed", "--json"); strings.Count(out, `"removed"`) < 10 {
		t.Errorf("the dropped deliveries are no dead letters:\n%s", out)
	}
}
