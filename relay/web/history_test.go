package web

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestHistoryDrawsRates(t *testing.T) {
	r := prometheus.NewRegistry()
	accepted := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "relay_events_accepted_total"}, []string{"event"})
	r.MustRegister(accepted)
	crm := Service{Name: "crm"}
	h := &history{metrics: r, relay: func() Status { return Status{Services: []Service{crm, {Name: "qa"}}} }}
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for i := range maxSamples + 10 {
		h.take(now.Add(time.Duration(i) * sampleEvery))
		accepted.WithLabelValues("call_end").Add(3)
		accepted.WithLabelValues("call_start").Add(2)
		crm.Delivered += 4
		crm.Waiting = i
	}
	if got := len(h.samples); got != maxSamples {
		t.Errorf("%d samples are kept, want %d", got, maxSamples)
	}
	plots := h.plots()
	for i, want := range []string{"20", "16", "0", "249", "0"} {
		if plots[i].Now != want {
			t.Errorf("%s = %s, want %s", plots[i].Name, plots[i].Now, want)
		}
	}
	if !strings.HasPrefix(plots[3].Line, "M0.0 ") || !strings.HasSuffix(plots[3].Line, "L240.0 1.0") {
		t.Errorf("line = %.40s … %s", plots[3].Line, plots[3].Line[len(plots[3].Line)-20:])
	}
}

func TestDrawNothing(t *testing.T) {
	if p := draw("x", nil); p.Now != "0" || p.Line != "" {
		t.Errorf("got %+v", p)
	}
	if p := draw("x", []point{{time.Now(), 0.25}}); p.Now != "0.25" || p.Line != "" {
		t.Errorf("got %+v", p)
	}
}
