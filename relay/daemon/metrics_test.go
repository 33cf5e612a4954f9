package daemon

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// contracted are the metrics that dashboards and rules rely on.
var contracted = []string{
	"relay_attempt_seconds", "relay_attempts_total", "relay_breaker_state", "relay_build_info",
	"relay_config_info", "relay_config_reload_success", "relay_config_reload_timestamp_seconds",
	"relay_dead_letters", "relay_deliveries_total", "relay_delivery_lag_seconds",
	"relay_events_accepted_total", "relay_events_rejected_total", "relay_journal_seconds",
	"relay_events_unbound_total", "relay_service_state", "relay_waiting_for_recording",
	"relay_oldest_seconds", "relay_pending", "relay_queue_bytes", "relay_queue_degraded", "relay_stalled", "relay_queue_max_bytes", "relay_retrying",
}

// TestMetricsAreThereFromTheStart holds the names, and that the series of a
// service exist before anything has happened to it.
func TestMetricsAreThereFromTheStart(t *testing.T) {
	p, err := New(t.Context(), Options{
		Config: writeConfig(t, `[queue]
listen = ""
[admin]
listen = ""
[[service]]
name = "crm"
url = "http://127.0.0.1:1"
text = "#agent_id#"
`), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		if len(f.GetMetric()) > 0 {
			names = append(names, f.GetName())
		}
	}
	for line := range strings.Lines(string(p.deliver.AppendMetrics(nil))) {
		if name, _, found := strings.Cut(line, "{"); found {
			names = append(names, strings.TrimSuffix(name, "_count"))
		}
	}
	for _, name := range contracted {
		if !slices.Contains(names, name) {
			t.Errorf("no metric %s; there are %v", name, names)
		}
	}
}
