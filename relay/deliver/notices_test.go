package deliver

import (
	"strings"
	"testing"

	"callrelay/queue"
	"callrelay/relay/exchange"
)

func TestAlarmsAreNotToldOf(t *testing.T) {
	of := func(events ...string) (list []queue.Record) {
		for _, name := range events {
			list = append(list, queue.Record{Service: "crm", Event: name, ID: "id-of-" + name})
		}
		return list
	}
	for _, test := range []struct {
		name    string
		records []queue.Record
		count   int // 0: nothing is raised
	}{
		{"an event of a call", of("post_call"), 1},
		{"an alarm", of("relay_dead_letter"), 0},
		{"a gap of a source is an alarm too", of("relay_gap"), 0},
		{"a test is an event like any other", of("relay_test"), 1},
		{"what expired together, alarms among it", of("relay_queue_high", "post_call", "relay_breaker_opened", "call_end"), 2},
		{"only alarms that expired together", of("relay_breaker_opened", "relay_breaker_closed"), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var raised []map[string]any
			n := newNotices(func(event map[string]any) { raised = append(raised, event) })
			n.dead(queue.Death{Reason: "expired", Error: strings.Repeat("x", 1000)}, "crm.example.com", test.records...)
			if test.count == 0 {
				if len(raised) > 0 {
					t.Errorf("raised %v", raised)
				}
				return
			}
			if len(raised) != 1 || raised[0]["count"] != test.count || raised[0]["service"] != "crm" || raised[0]["reason"] != "expired" {
				t.Fatalf("raised %v, want one for %d", raised, test.count)
			}
			if text := raised[0]["error"].(string); len(text) > exchange.MaxText+len("…") {
				t.Errorf("an error of %d bytes", len(text))
			}
		})
	}
}
