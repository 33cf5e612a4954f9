package deliver

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// TestMetricsAreReadByPrometheus has the parser of the client library read what
// is written.
func TestMetricsAreReadByPrometheus(t *testing.T) {
	m := newMetrics()
	s := m.service("crm")
	m.service("qa")
	for _, elapsed := range []time.Duration{time.Millisecond, 2 * time.Millisecond, 50 * time.Millisecond, 2 * time.Minute} {
		s.attempt(verdict{outcome: Delivered, class: "2xx"}, elapsed, 8*day)
	}
	s.attempt(verdict{outcome: Retry, class: classTimeout}, time.Second, 0)
	var x exposition
	x.counted(m.all())
	list := []Status{{Name: "crm", Breaker: BreakerOpen, Waiting: 3, Dead: map[string]int{ReasonExpired: 7}}, {Name: "old", State: StateOrphaned}}
	x.gauges(list, time.Now())
	x.letters(list, map[string]map[string]int{"dropped": {ReasonRemoved: 2}})

	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(x)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, x)
	}
	if n := len(families); n != 12 {
		t.Errorf("%d families, want 12", n)
	}
	h := families["relay_attempt_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 5 || fmt.Sprintf("%.3f", h.GetSampleSum()) != "121.053" {
		t.Errorf("%d attempts of %v s", h.GetSampleCount(), h.GetSampleSum())
	}
	for _, b := range h.GetBucket() {
		want := map[float64]uint64{.001: 1, .0025: 2, .05: 3, 1: 4, 60: 4}[b.GetUpperBound()]
		if want > 0 && b.GetCumulativeCount() != want {
			t.Errorf("%d attempts within %v s, want %d", b.GetCumulativeCount(), b.GetUpperBound(), want)
		}
	}
	for _, want := range []string{
		`relay_deliveries_total{outcome="retry",service="crm"} 1`, `relay_attempts_total{class="429",service="qa"} 0`,
		`relay_delivery_lag_seconds_bucket{le="604800",service="crm"} 0`, `relay_delivery_lag_seconds_count{service="crm"} 4`,
		`relay_breaker_state{service="crm"} 2`, `relay_dead_letters{reason="expired",service="crm"} 7`, `relay_pending{service="crm"} 3`,
		`relay_dead_letters{reason="removed",service="dropped"} 2`,
	} {
		if !strings.Contains(string(x), want+"\n") {
			t.Errorf("no %s in\n%s", want, x)
		}
	}
	if strings.Contains(string(x), `relay_breaker_state{service="old"}`) {
		t.Error("an orphan has no breaker")
	}
	m.forget("crm")
	if names, _ := m.all(); len(names) != 1 {
		t.Errorf("left are %v", names)
	}
}

// BenchmarkScrape writes the metrics of two hundred services.
func BenchmarkScrape(b *testing.B) {
	m := newMetrics()
	var list []Status
	for i := range 200 {
		name := fmt.Sprint("service-", i)
		m.service(name).attempt(verdict{outcome: Delivered, class: "2xx"}, 3*time.Millisecond, time.Second)
		list = append(list, Status{Name: name})
	}
	for b.Loop() {
		x := make(exposition, 0, bytesPerService*(len(list)+1))
		x.counted(m.all())
		x.gauges(list, time.Now())
		x.letters(list, nil)
		b.SetBytes(int64(len(x)))
	}
}
