package deliver

import (
	"net/http"
	"testing"
	"time"
)

func TestDeliversWithTheHeadersOfTheContract(t *testing.T) {
	t.Parallel()
	rc := newReceiver(t)
	r := rigged(t, service("crm", rc.URL, `headers = { X-Account = "#agent_id#" }`))
	r.owe("crm", "2020@x/1 a")
	r.until("it arrives", func() bool { return rc.count() == 1 })
	got := rc.requests()[0]
	for name, want := range map[string]string{
		"User-Agent":    "relay/1.2.3",
		"Webhook-Id":    "2020=40x/1=20a",
		"Relay-Attempt": "1",
		"X-Account":     "1401",
		"Content-Type":  "application/json",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
	if got.Header.Get("Webhook-Timestamp") == "" || got.Header.Get("Webhook-Signature") != "" {
		t.Errorf("headers = %v", got.Header)
	}
	if got.body != `{"agent": "1401"}` || got.Method != http.MethodPost {
		t.Errorf("got %s %s", got.Method, got.body)
	}
	r.until("it is done", func() bool { s := r.status("crm"); return s.Delivered == 1 && s.Waiting+s.InFlight == 0 })
	if v, _ := r.metric(`relay_deliveries_total{outcome="delivered",service="crm"}`); v != 1 {
		t.Errorf("relay_deliveries_total = %v, want 1", v)
	}
}

func TestAnUnavailableEndpointHoldsAllAndSlowsNobody(t *testing.T) {
	t.Parallel()
	sick, well := newReceiver(t), newReceiver(t)
	sick.respond(status(503, "down"))
	r := rigged(t, service("sick", sick.URL, "[service.breaker]\nopen = \"300ms\"")+service("well", well.URL, ""))
	const n = 200
	ids := names("e", n)
	r.owe("sick", ids...)
	r.owe("well", ids...)
	r.until("the healthy service has all", func() bool { return well.count() == n })
	r.until("the breaker opens", func() bool { return r.status("sick").Breaker == BreakerOpen })
	if attempts := sick.count(); attempts > 12 {
		t.Errorf("%d attempts at an endpoint that answers 503, want a handful", attempts)
	}
	s := r.status("sick")
	if pending := s.Waiting + s.InFlight + s.Retrying; pending != n {
		t.Errorf("%d deliveries held, want %d", pending, n)
	}
	refused := sick.count()
	sick.respond(nil)
	mended := time.Now()
	r.until("everything is there", func() bool { return r.status("sick").Delivered == n })
	t.Logf("all there after %s", time.Since(mended).Round(time.Millisecond))
	if total := sick.count() - refused; total < n || total > n+12 {
		t.Errorf("%d requests for %d deliveries after the endpoint was mended", total, n)
	}
	event := <-r.raised
	if event["event"] != "relay_breaker_opened" || event["service"] != "sick" {
		t.Errorf("raised %v", event)
	}
}
