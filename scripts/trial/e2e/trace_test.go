package e2e

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"callrelay/scripts/trial"
)

// traceCollector takes spans as an OpenTelemetry collector does.
type traceCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*trace.Span
}

func newTraceCollector(t *testing.T) *traceCollector {
	c := &traceCollector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var batch collector.ExportTraceServiceRequest
		body, err := io.ReadAll(q.Body)
		if err == nil {
			err = proto.Unmarshal(body, &batch)
		}
		if err != nil || q.URL.Path != "/v1/traces" {
			http.Error(w, fmt.Sprint(q.URL, err), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, r := range batch.ResourceSpans {
			for _, s := range r.ScopeSpans {
				c.spans = append(c.spans, s.Spans...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *traceCollector) list() []*trace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*trace.Span(nil), c.spans...)
}

// attributes are those of a span as text.
func attributes(s *trace.Span) map[string]string {
	list := map[string]string{}
	for _, a := range s.Attributes {
		text := a.Value.GetStringValue()
		if text == "" {
			text = fmt.Sprint(a.Value.GetIntValue())
		}
		list[a.Key] = text
	}
	return list
}

func TestEachAttemptIsASpanOfItsCallsTrace(t *testing.T) {
	at, spans := trial.NewReceiver(t), newTraceCollector(t)
	at.AnswerStatus(http.StatusServiceUnavailable)
	r := trial.New(t, binary, trial.Service("crm", at.URL+"/?key=secret", "retry_schedule = [\"50ms\"]"))
	r.Env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + spans.URL}
	r.Start()
	const traceID, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	r.Accept(`{"event":"agent_termination","id":"e1","uii":"call-1","traceparent":"00-` + traceID + `-` + parent + `-01"}`)
	r.Until("an attempt has failed", func() bool { return at.Refused() > 0 })
	at.AnswerStatus(http.StatusOK)
	r.Until("the event arrives", func() bool { n, _ := at.Total(); return n == 1 })
	attempts := at.Refused() + 1
	if code := r.Stop(); code != 0 { // the last spans are sent before the end
		t.Fatalf("exit status %d", code)
	}
	list := spans.list()
	if len(list) != attempts {
		t.Fatalf("%d spans of %d attempts", len(list), attempts)
	}
	last := list[len(list)-1]
	carried := at.Arrivals()[0].Header.Get("Traceparent")
	if want := "00-" + traceID + "-" + hex.EncodeToString(last.SpanId) + "-01"; carried != want {
		t.Errorf("the request carried %q, want %q", carried, want)
	}
	for i, s := range list {
		if hex.EncodeToString(s.TraceId) != traceID || hex.EncodeToString(s.ParentSpanId) != parent || s.Name != "deliver crm" {
			t.Errorf("span %d: %s of trace %x below %x", i, s.Name, s.TraceId, s.ParentSpanId)
		}
		want := map[string]string{
			"relay.event_id": "e1", "relay.call": "call-1", "relay.attempt": fmt.Sprint(i + 1), "relay.outcome": "retry",
			"http.response.status_code": "503", "server.address": strings.TrimPrefix(at.URL, "http://"),
		}
		code := trace.Status_STATUS_CODE_ERROR
		if i == len(list)-1 {
			want["relay.outcome"], want["http.response.status_code"], code = "delivered", "200", trace.Status_STATUS_CODE_UNSET
		}
		got := attributes(s)
		for key, value := range want {
			if got[key] != value {
				t.Errorf("span %d: %s = %q, want %q", i, key, got[key], value)
			}
		}
		if s.GetStatus().GetCode() != code || strings.Contains(s.String(), "secret") {
			t.Errorf("span %d: %v", i, s)
		}
	}
}

func TestNothingIsTracedUnlessItIsAskedFor(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	r.Accept(`{"event":"agent_termination","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}`)
	r.Until("it arrives", func() bool { n, _ := at.Total(); return n == 1 })
	if got := at.Arrivals()[0].Header.Get("Traceparent"); got != "" {
		t.Errorf("the request carried %q", got)
	}
}

func TestACollectorThatIsAwayHoldsNothingUp(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.New(t, binary, trial.Service("crm", at.URL, ""))
	r.Env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + trial.FreeAddress(t), "OTEL_EXPORTER_OTLP_TIMEOUT=500"}
	r.Start()
	ids := r.Accept(trial.Numbered("t", "agent_termination", 500)...)
	r.Until("all arrive", func() bool { _, n := at.Total(); return n == len(ids) })
	if code := r.Stop(); code != 0 {
		t.Errorf("exit status %d:\n%s", code, r.Log())
	}
}
