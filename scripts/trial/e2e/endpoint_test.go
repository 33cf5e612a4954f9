package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

func TestAnUnavailableEndpointHoldsAllAndSlowsNobody(t *testing.T) {
	sick, well := trial.NewReceiver(t), trial.NewReceiver(t)
	sick.AnswerStatus(http.StatusServiceUnavailable)
	r := trial.Start(t, binary, trial.Service("sick", sick.URL, "[service.breaker]\nopen = \"1s\"")+trial.Service("well", well.URL, ""))
	const n = 500
	r.Accept(trial.Numbered("u", "agent_termination", n)...)
	r.Until("the healthy service has all", func() bool { _, got := well.Total(); return got == n })
	r.Until("the breaker is open", func() bool { return r.Metric(`relay_breaker_state{service="sick"}`) == "2" })
	if refused := sick.Refused(); refused > 20 {
		t.Errorf("%d attempts at an endpoint that answers 503, want a handful", refused)
	}
	if pending := r.Metric(`relay_pending{service="sick"}`); pending != "500" {
		t.Errorf("relay_pending = %s, want 500", pending)
	}
	sick.AnswerStatus(http.StatusOK)
	mended := time.Now()
	r.Until("everything is there", func() bool { _, got := sick.Total(); return got == n })
	t.Logf("all there %s after the endpoint was mended", time.Since(mended).Round(time.Millisecond))
	for _, at := range []*trial.Receiver{sick, well} {
		if total, distinct := at.Total(); total != distinct {
			t.Errorf("%d deliveries of %d events", total, distinct)
		}
	}
}

func TestAWrongPasswordHoldsUntilAReloadCorrectsIt(t *testing.T) {
	at := trial.NewReceiver(t)
	at.Answer(func(w http.ResponseWriter, q *http.Request) {
		if _, password, _ := q.BasicAuth(); password != "right-one" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	config := func(password string) string {
		return trial.Service("crm", at.URL, "[service.auth]\nbasic = { user = \"relay\", password = \""+password+"\" }")
	}
	r := trial.Start(t, binary, config("wrong-one"))
	ids := r.Accept(trial.Numbered("p", "agent_termination", 100)...)
	r.Until("the breaker is open", func() bool { return r.Metric(`relay_breaker_state{service="crm"}`) == "2" })
	r.Reload(config("right-one"))
	r.Until("everything drains", func() bool { _, n := at.Total(); return n == len(ids) })
	if dead := r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`); dead != "0" {
		t.Errorf("dead letters = %s, want 0", dead)
	}
	status, _ := r.Run("status")
	for _, where := range []string{r.Log(), status, r.Page("/metrics")} {
		if strings.Contains(where, "wrong-one") || strings.Contains(where, "right-one") {
			t.Errorf("a password shows in:\n%s", where)
		}
	}
}

func TestRefusedPayloadsAreKeptAndReplayedUnderTheSameID(t *testing.T) {
	at := trial.NewReceiver(t)
	at.AnswerStatus(http.StatusUnprocessableEntity)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	ids := r.Accept(trial.Numbered("d", "agent_termination", 20)...)
	r.Until("all are dead letters", func() bool {
		return r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "20"
	})
	if out, code := r.Run("dead", "list"); code != 0 || !strings.Contains(out, "rejected") || !strings.Contains(out, "422") {
		t.Errorf("relay dead list = %d:\n%s", code, out)
	}
	if got := r.Metric(`relay_breaker_state{service="crm"}`); got != "0" {
		t.Errorf("breaker state %s: refused payloads must not open it", got)
	}
	if out, code := r.Run("dead", "show", ids[3]); code != 0 || !strings.Contains(out, ids[3]) || strings.Contains(out, ids[4]) {
		t.Errorf("relay dead show %s = %d:\n%s", ids[3], code, out)
	}
	at.AnswerStatus(http.StatusOK)
	if out, code := r.Run("dead", "replay", "--service", "crm", "--rate", "100"); code != 0 {
		t.Fatalf("relay dead replay = %d:\n%s", code, out)
	}
	r.Until("the replayed arrive", func() bool { n, _ := at.Total(); return n == len(ids) })
	if missing := at.Missing(ids); missing > 0 {
		t.Errorf("%d events came back under another id", missing)
	}
	r.Until("no dead letter is left", func() bool {
		return r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`) == "0"
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	at := trial.NewReceiver(t)
	var mu sync.Mutex
	var times []time.Time
	at.Answer(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		times = append(times, time.Now())
		if len(times) == 1 {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r := trial.Start(t, binary, trial.Service("crm", at.URL, "retry_schedule = [\"100ms\"]"))
	ids := r.Accept(trial.Numbered("a", "agent_termination", 1)...)
	r.Until("it arrives", func() bool { return at.Count(ids[0]) == 1 })
	mu.Lock()
	defer mu.Unlock()
	if waited := times[1].Sub(times[0]); waited < 3*time.Second || waited > 6*time.Second {
		t.Errorf("the second attempt came after %s, want 3s and little more", waited)
	}
	if got := at.Arrivals()[0].Header.Get("Relay-Attempt"); got != "2" {
		t.Errorf("Relay-Attempt = %q, want 2", got)
	}
}

func TestPauseHoldsAndResumeDelivers(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	if out, code := r.Run("pause", "crm"); code != 0 {
		t.Fatalf("relay pause = %d: %s", code, out)
	}
	ids := r.Accept(trial.Numbered("h", "agent_termination", 10)...)
	r.Until("they wait", func() bool { return r.Metric(`relay_pending{service="crm"}`) == "10" })
	r.Kill()
	r.Start() // a pause outlasts a crash
	if out, _ := r.Run("status"); !strings.Contains(out, "paused") {
		t.Errorf("relay status does not say that crm is paused:\n%s", out)
	}
	if out, code := r.Run("resume", "crm"); code != 0 {
		t.Fatalf("relay resume = %d: %s", code, out)
	}
	r.Until("they arrive", func() bool { _, n := at.Total(); return n == len(ids) })
}

func TestAnOrphanIsKeptUntilItIsDroppedOrReturns(t *testing.T) {
	at := trial.NewReceiver(t)
	with := trial.Service("crm", at.URL, "") + trial.Service("qa", at.URL+"/qa", "")
	without := trial.Service("qa", at.URL+"/qa", "")
	r := trial.Start(t, binary, with)
	r.Run("pause", "crm")
	r.Accept(trial.Numbered("o", "agent_termination", 10)...)
	r.Reload(without)
	if out, _ := r.Run("status"); !strings.Contains(out, "orphaned") {
		t.Errorf("relay status does not show the orphan:\n%s", out)
	}
	if out, code := r.Run("drop", "crm"); code != 0 {
		t.Fatalf("relay drop = %d: %s", code, out)
	}
	if out, _ := r.Run("dead", "list", "--reason", "removed", "--json"); strings.Count(out, `"removed"`) < 10 {
		t.Errorf("the dropped deliveries are no dead letters:\n%s", out)
	}
}
