package faults

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// raw starts a TCP endpoint whose every connection is treated by serve.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(c) }() //nolint:errcheck // the fault is the point
		}
	}()
	return "http://" + l.Addr().String()
}

func TestSickEndpointsHoldTheirOwnAndSlowNobody(t *testing.T) {
	drip := func(c net.Conn) { // headers at once, then a byte a second
		_, _ = io.WriteString(c, "HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n")
		for range 1000 {
			<-time.After(time.Second)
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
		}
	}
	for _, sick := range []struct {
		name  string
		serve func(net.Conn)
	}{
		{"hangs", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
		{"drips", drip},
		{"resets", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }},
		{"closes-half-way", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nshort") }},
		{"half-closed", func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite(); _, _ = io.Copy(io.Discard, c) }},
		{"talks-nonsense", func(c net.Conn) { _, _ = io.WriteString(c, "220 smtp.example.com ESMTP\r\n") }},
		{"endless-headers", func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 503 Later\r\n"+strings.Repeat("X: y\r\n", 1<<20)) }},
	} {
		t.Run(sick.name, func(t *testing.T) {
			t.Parallel()
			well := trial.NewReceiver(t)
			url := raw(t, sick.serve)
			sickService := func(url string) string {
				return trial.Service("sick", url, "timeout = \"1s\"\nretry_schedule = [\"1s\"]\n[service.breaker]\nopen = \"1s\"")
			}
			r := trial.Start(t, binary, sickService(url)+trial.Service("well", well.URL, ""))
			n := size(200, 5000)
			ids := r.Accept(trial.Numbered("x", "agent_termination", n)...)
			r.Until("the healthy service has all", func() bool { _, got := well.Total(); return got == n })
			r.Until("the sick one's breaker opens", func() bool { return r.Metric(`relay_breaker_state{service="sick"}`) == "2" })
			if pending := r.Metric(`relay_pending{service="sick"}`); pending != fmt.Sprint(n) {
				t.Errorf("relay_pending = %s, want %d: nothing may be lost", pending, n)
			}
			mended := trial.NewReceiver(t)
			r.Reload(sickService(mended.URL) + trial.Service("well", well.URL, ""))
			r.Until("what waited drains", func() bool { _, got := mended.Total(); return got == len(ids) })
			t.Logf("%d held by an endpoint that %s, all delivered after a reload", n, sick.name)
		})
	}
}

// TestASuccessIsOneHoweverItsHeadGoesOn: the status said that the event was taken,
// and what is behind it is read no further than its bound.
func TestASuccessIsOneHoweverItsHeadGoesOn(t *testing.T) {
	url := raw(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: y\r\n", 1<<20)) })
	r := trial.Start(t, binary, trial.Service("crm", url, "timeout = \"5s\""))
	n := size(20, 1000)
	r.Accept(trial.Numbered("h", "agent_termination", n)...)
	r.Until("all are delivered", func() bool {
		return r.Metric(`relay_deliveries_total{outcome="delivered",service="crm"}`) == fmt.Sprint(n)
	})
	if again := r.Metric(`relay_deliveries_total{outcome="retry",service="crm"}`); again != "0" {
		t.Errorf("%s attempts were made again", again)
	}
}

func TestAnEndpointThatFailsEveryThirdTimeGetsAll(t *testing.T) {
	at := trial.NewReceiver(t)
	var calls int
	gate := make(chan struct{}, 1)
	at.Answer(func(w http.ResponseWriter, _ *http.Request) {
		gate <- struct{}{}
		calls++
		bad := calls%3 == 0
		<-gate
		if bad {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := trial.Start(t, binary, trial.Service("crm", at.URL, "retry_schedule = [\"50ms\", \"100ms\"]\n[service.breaker]\nfailures = 100\nratio = 1.0"))
	n := size(300, 20_000)
	r.Accept(trial.Numbered("f", "agent_termination", n)...)
	r.Until("all are there", func() bool { _, got := at.Total(); return got == n })
	if total, distinct := at.Total(); total != distinct {
		t.Errorf("%d deliveries of %d events", total, distinct)
	}
	t.Logf("%d delivered over %d refusals", n, at.Refused())
}

func TestPoisonedDeliveriesHoldUpNobody(t *testing.T) {
	at := trial.NewReceiver(t)
	at.Answer(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.Header.Get("Webhook-Id"), "0") { // every tenth
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := trial.Start(t, binary, trial.Service("crm", at.URL, "concurrency = 32\n[service.breaker]\nfailures = 1000\nratio = 1.0"))
	n := size(10_000, 100_000) // a tenth of them are more than wait in memory
	r.Accept(trial.Numbered("p", "agent_termination", n)...)
	r.Until("the other nine tenths are there", func() bool { _, got := at.Total(); return got == n*9/10 })
	r.Until("the poisoned tenth waits", func() bool { return r.Metric(`relay_pending{service="crm"}`) == fmt.Sprint(n/10) })
	t.Logf("%d delivered beside %d that were refused with 500", n*9/10, n/10)
}
