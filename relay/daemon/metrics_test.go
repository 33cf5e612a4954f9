package daemon

import (
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"callrelay/relay/web"
)

// contracted are the metrics that dashboards and rules rely on, with their labels.
var contracted = []string{
	"relay_attempt_seconds{service}", "relay_attempts_total{class,service}", "relay_breaker_state{service}",
	"relay_build_info{goversion,version}", "relay_config_info{fingerprint}", "relay_config_reload_success",
	"relay_config_reload_timestamp_seconds", "relay_dead_letters{reason,service}", "relay_deliveries_total{outcome,service}",
	"relay_delivery_lag_seconds{service}", "relay_events_accepted_total{event}", "relay_events_rejected_total{reason}",
	"relay_events_unbound_total{event}", "relay_journal_seconds", "relay_oldest_seconds{service}", "relay_pending{service}",
	"relay_queue_bytes", "relay_queue_degraded", "relay_queue_max_bytes", "relay_retrying{service}",
	"relay_service_state{service,state}", "relay_stalled{service}", "relay_waiting_for_recording{service}",
}

// sample is a line of a scrape.
var sample = regexp.MustCompile(`^([a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$`)

// TestScrape looks at the whole of a scrape, as it leaves the relay: each family
// comes once, described and from one place; those that others rely on are there
// with their labels before anything has happened; and the manual names each.
func TestScrape(t *testing.T) {
	p, err := New(t.Context(), Options{
		Config: writeConfig(t, `[queue]
listen = ""
[admin]
listen = "127.0.0.1:0"
[recordings]
listen = ""
keys = [{ id = "k", secret = "0123456789abcdef0123456789abcdef" }]
[[source]]
name = "pbx1"
type = "asterisk"
address = "127.0.0.1:1"
user = "u"
password = "p"
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
	scrape := httptest.NewRecorder()
	web.MetricsHandler(p.registry, p.deliver.AppendMetrics).ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))

	help, families, values := map[string]int{}, map[string]string{}, map[string][]string{}
	for line := range strings.Lines(scrape.Body.String()) {
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, text, _ := strings.Cut(rest, " ")
			if help[name]++; help[name] > 1 || strings.TrimSpace(text) == "" {
				t.Errorf("%s is described %d times: %q", name, help[name], text)
			}
			continue
		}
		if m := sample.FindStringSubmatch(strings.TrimSpace(line)); m != nil && strings.HasPrefix(m[1], "relay_") {
			families[m[1]] = m[1] + labelsOf(m[2])
			if closed := closedLabel.FindStringSubmatch(m[2]); closed != nil {
				values[m[1]] = append(values[m[1]], closed[1])
			}
		}
	}
	for _, want := range contracted {
		name, _, _ := strings.Cut(want, "{")
		if families[name] != want {
			t.Errorf("the scrape has %q for %s", families[name], want)
		}
	}
	page, err := os.ReadFile("../manual/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range help {
		if strings.HasPrefix(name, "relay_") && !strings.HasPrefix(name, "relay_source_") && !strings.Contains(string(page), "`"+name) {
			t.Errorf("relay help metrics does not name %s", name)
		}
	}
	for name, got := range values {
		want := listed(string(page), name)
		if slices.Sort(got); !slices.Equal(slices.Compact(got), want) {
			t.Errorf("%s begins with series of %q, and relay help metrics lists %q", name, got, want)
		}
	}
	if len(values) < 8 {
		t.Errorf("only %d metrics have series from the start: %v", len(values), values)
	}
}

// closedLabel is a label whose values are known beforehand.
var closedLabel = regexp.MustCompile(`(?:reason|class|outcome|status|state)="(.*?)"`)

// listed are the values that the manual's row of a metric lists, in order.
func listed(page, metric string) (values []string) {
	row := regexp.MustCompile("(?m)^\\|[^|]*`" + metric + `\{[^|]*\|(.*)\|$`).FindStringSubmatch(page)
	if row == nil {
		return nil
	}
	for _, code := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(row[1], -1) {
		values = append(values, strings.Split(code[1], ", ")...)
	}
	slices.Sort(values)
	return values
}

// labelsOf are the names of the labels, in order, but that of a bucket.
func labelsOf(text string) string {
	var names []string
	for _, m := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(text, -1) {
		if m[1] != "le" {
			names = append(names, m[1])
		}
	}
	if slices.Sort(names); len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("{%s}", strings.Join(names, ","))
}
