package command

import (
	"strings"
	"testing"
	"time"

	"callrelay/queue"
	"callrelay/relay/web"
)

// TestStatusShowsAllThatMayBeWrong prints what seldom is, each as its line.
func TestStatusShowsAllThatMayBeWrong(t *testing.T) {
	now := time.Now()
	st := web.Status{
		Version: "1.0", Started: now.Add(-time.Hour), Healthy: true, Ready: true,
		Config: web.Config{Path: "relay.toml", Success: true, Since: now, Problems: []string{"relay.toml:3: no"}, Restart: []string{"queue.dir"}},
		Queue:  web.Queue{Bytes: 1 << 20, MaxBytes: 1 << 21, High: true, Spooled: 2},
		Hub:    &queue.HubState{Edge: "berlin", Since: now.Add(-time.Minute), Why: "connection refused"},
		Sources: []web.Source{{
			Name: "pbx1", Type: "asterisk", State: "connected", Since: now.Add(-time.Minute), Behind: 2.5, Turned: 3,
			LastError: "login refused", Limits: []string{"bridges are not seen"}, Unturned: 1, Problem: "no stamp", Gaps: 2,
		}},
		Gone:    map[string]map[string]int{"old": {"removed": 3}},
		Unbound: &web.Unbound{Count: 2, Event: "call_end", Scope: "queue sales", At: now},
	}
	for name := range strings.FieldsSeq("a b c d e f g h i j") {
		st.Services = append(st.Services, web.Service{Name: name, State: "active", Breaker: "open", HeldBy: "breaker open", Waiting: 1, ForRecording: 2, Oldest: now.Add(-time.Minute)})
	}
	st.Judge()
	var out strings.Builder
	(&app{out: &out}).printStatus(st, now)
	for _, want := range []string{
		"  and ", " more\n", "  relay.toml:3: no\n", "queue.dir changed: takes effect after a restart\n",
		"near its limit", "2 deliveries spooled here for the cluster", "hub away for 1m00s, as edge berlin: connection refused\n",
		"source pbx1 (asterisk) connected for 1m00s, 3 events turned, 2.5 s behind\n", "  login refused\n", "  bridges are not seen\n",
		"  1 could not be turned, the last: no stamp\n", "heard nothing 2 times", "  2 deliveries wait for their recordings\n",
		"old is no more: 3 dead letters\n", "2 events matched no binding, the last 0s ago: call_end at queue sales\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	painted := painter(true)
	if got := painted.state("active") + painted.state("orphaned") + painted.state("half-open") + painted.count(3); strings.Count(got, plain) != 4 {
		t.Errorf("colours: %q", got)
	}
}
