package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"callrelay/scripts/trial"
)

func TestFortyReloadsUnderLoadLoseAndRepeatNothing(t *testing.T) {
	one, two := trial.NewReceiver(t), trial.NewReceiver(t)
	config := func(i int) string { return trial.Service("crm", []string{one.URL, two.URL}[i%2], "") }
	r := trial.Start(t, binary, config(0))
	var stop atomic.Bool
	sent := make(chan []string)
	go func() {
		var ids []string
		for i := 0; !stop.Load(); i++ {
			ids = append(ids, r.Accept(trial.Numbered(fmt.Sprintf("r%d", i), "agent_termination", 10)...)...)
		}
		sent <- ids
	}()
	for i := range 40 {
		r.Reload(config(i + 1))
		if at := []*trial.Receiver{two, one}[i%2]; i < 2 {
			r.Until("the endpoint is called", func() bool { n, _ := at.Total(); return n > 0 })
		}
	}
	stop.Store(true)
	ids := <-sent
	arrived := func() (total, distinct int) {
		a, b := one.Counts(), two.Counts()
		for id, n := range a {
			total += n
			if b[id] == 0 {
				distinct++
			}
		}
		for _, n := range b {
			total += n
			distinct++
		}
		return total, distinct
	}
	r.Until("all arrive", func() bool { _, distinct := arrived(); return distinct == len(ids) })
	if total, distinct := arrived(); total != distinct {
		t.Errorf("%d deliveries of %d events: some were repeated", total, distinct)
	}
	if n, _ := one.Total(); n == 0 {
		t.Error("the first endpoint got nothing")
	}
	if n, _ := two.Total(); n == 0 {
		t.Error("the second endpoint got nothing")
	}
}

func TestABrokenFileChangesNothingAndIsReported(t *testing.T) {
	at := trial.NewReceiver(t)
	good := trial.Service("crm", at.URL, "")
	r := trial.Start(t, binary, good)
	r.Configure(good + trial.Binding("crm2"))
	r.Hangup()
	r.Until("the refused reload shows in the metric", func() bool { return r.Metric("relay_config_reload_success") == "0" })
	r.Accept(trial.Numbered("b", "agent_termination", 1)...)
	r.Until("the old configuration still delivers", func() bool { n, _ := at.Total(); return n == 1 })
	const problem = `service "crm2" is not defined (defined: crm)`
	if out, _ := r.Run("status"); !strings.Contains(out, problem) {
		t.Errorf("relay status does not tell the problem:\n%s", out)
	}
	r.Until("the log tells the problem", func() bool { return strings.Contains(r.Log(), "crm2") })
	out, code := r.Run("check")
	if code != 1 || !strings.Contains(out, "relay.toml:") || !strings.Contains(out, "binding 2: "+problem) {
		t.Errorf("relay check = %d:\n%s", code, out)
	}
	if out, code := r.Run("reload"); code != 1 || !strings.Contains(out, problem) {
		t.Errorf("relay reload = %d:\n%s", code, out)
	}
	r.Reload(good)
}

func TestAWrongURLIsMendedByAReload(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", "http://"+trial.FreeAddress(t)+"/wrong", ""))
	ids := r.Accept(trial.Numbered("w", "agent_termination", 200)...)
	r.Until("the breaker opens", func() bool { return r.Metric(`relay_breaker_state{service="crm"}`) == "2" })
	r.Reload(trial.Service("crm", at.URL, ""))
	r.Until("what waited drains", func() bool { _, n := at.Total(); return n == len(ids) })
	if total, distinct := at.Total(); total != distinct {
		t.Errorf("%d deliveries of %d events", total, distinct)
	}
}

func TestWhatWasOwedStaysOwed(t *testing.T) {
	const waiting = 1000
	held := func(at string, more string) string {
		return fmt.Sprintf("[[service]]\nname = \"crm\"\nurl = %q\njson = '{}'\n[service.breaker]\nopen = \"200ms\"\n", at) + more
	}
	for _, test := range []struct {
		name  string
		after string // the bindings after the reload
		first string // a key of the service after the reload
		want  int    // deliveries
	}{
		{"the binding is removed", "", "", waiting},
		{"the binding is narrowed", "[[binding]]\nevent = \"agent_termination\"\nqueue = \"sales\"\nservice = \"crm\"\n", "", waiting},
		{"the service becomes inactive", trial.Binding("crm"), "active = false", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := trial.NewReceiver(t)
			at.AnswerStatus(http.StatusServiceUnavailable)
			r := trial.Start(t, binary, held(at.URL, trial.Binding("crm")))
			r.Accept(trial.Numbered("before", "agent_termination", waiting)...)
			config := held(at.URL, test.after)
			if test.first != "" {
				config = strings.Replace(config, "name =", test.first+"\nname =", 1)
			}
			r.Reload(config)
			r.Accept(trial.Numbered("after", "agent_termination", 100)...)
			at.AnswerStatus(http.StatusOK)
			if test.want > 0 {
				r.Until("what was owed arrives", func() bool { _, n := at.Total(); return n >= test.want })
			}
			r.Until("the rest is still held", func() bool {
				return r.Metric(`relay_pending{service="crm"}`) == fmt.Sprint(waiting-test.want)
			})
			if total, distinct := at.Total(); total != test.want || distinct != test.want {
				t.Errorf("%d deliveries of %d events, want %d", total, distinct, test.want)
			}
			for id := range at.Counts() {
				if strings.HasPrefix(id, "after") {
					t.Fatalf("%s was delivered, though it was owed to nobody", id)
				}
			}
		})
	}
}
