package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestFortyReloadsUnderLoadLoseAndRepeatNothing(t *testing.T) {
	one, two := newReceiver(t), newReceiver(t)
	config := func(i int) string { return service("crm", []string{one.URL, two.URL}[i%2], "") }
	r := startRelay(t, config(0))
	var stop atomic.Bool
	sent := make(chan []string)
	go func() {
		var ids []string
		for i := 0; !stop.Load(); i++ {
			ids = append(ids, r.accept(numbered(fmt.Sprintf("r%d", i), "agent_termination", 10)...)...)
		}
		sent <- ids
	}()
	for i := range 40 {
		r.reload(config(i + 1))
	}
	stop.Store(true)
	ids := <-sent
	arrived := func() (total, distinct int) {
		a, b := one.counts(), two.counts()
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
	r.until("all arrive", func() bool { _, distinct := arrived(); return distinct == len(ids) })
	if total, distinct := arrived(); total != distinct {
		t.Errorf("%d deliveries of %d events: some were repeated", total, distinct)
	}
	if n, _ := one.total(); n == 0 {
		t.Error("the first endpoint got nothing")
	}
	if n, _ := two.total(); n == 0 {
		t.Error("the second endpoint got nothing")
	}
}

func TestABrokenFileChangesNothingAndIsReported(t *testing.T) {
	at := newReceiver(t)
	good := service("crm", at.URL, "")
	r := startRelay(t, good)
	r.configure(good + binding("crm2"))
	r.hangup()
	r.until("the refused reload shows in the metric", func() bool { return r.metric("relay_config_reload_success") == "0" })
	r.accept(numbered("b", "agent_termination", 1)...)
	r.until("the old configuration still delivers", func() bool { n, _ := at.total(); return n == 1 })
	const problem = `service "crm2" is not defined (defined: crm)`
	if out, _ := r.run("status"); !strings.Contains(out, problem) {
		t.Errorf("relay status does not tell the problem:\n%s", out)
	}
	if !strings.Contains(r.log.String(), "crm2") {
		t.Errorf("the log does not tell the problem:\n%s", r.log)
	}
	out, code := r.run("check")
	if code != 1 || !strings.Contains(out, "relay.toml:") || !strings.Contains(out, "binding 2: "+problem) {
		t.Errorf("relay check = %d:\n%s", code, out)
	}
	if out, code := r.run("reload"); code != 1 || !strings.Contains(out, problem) {
		t.Errorf("relay reload = %d:\n%s", code, out)
	}
	r.reload(good)
}

func TestAWrongURLIsMendedByAReload(t *testing.T) {
	at := newReceiver(t)
	r := startRelay(t, service("crm", "http://"+freeAddress(t)+"/wrong", ""))
	ids := r.accept(numbered("w", "agent_termination", 200)...)
	r.until("the breaker opens", func() bool { return r.metric(`relay_breaker_state{service="crm"}`) == "2" })
	r.reload(service("crm", at.URL, ""))
	r.until("what waited drains", func() bool { _, n := at.total(); return n == len(ids) })
	if total, distinct := at.total(); total != distinct {
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
		{"the service becomes inactive", binding("crm"), "active = false", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := newReceiver(t)
			at.status(http.StatusServiceUnavailable)
			r := startRelay(t, held(at.URL, binding("crm")))
			r.accept(numbered("before", "agent_termination", waiting)...)
			config := held(at.URL, test.after)
			if test.first != "" {
				config = strings.Replace(config, "name =", test.first+"\nname =", 1)
			}
			r.reload(config)
			r.accept(numbered("after", "agent_termination", 100)...)
			at.status(http.StatusOK)
			if test.want > 0 {
				r.until("what was owed arrives", func() bool { _, n := at.total(); return n >= test.want })
			}
			r.until("the rest is still held", func() bool {
				return r.metric(`relay_pending{service="crm"}`) == fmt.Sprint(waiting-test.want)
			})
			if total, distinct := at.total(); total != test.want || distinct != test.want {
				t.Errorf("%d deliveries of %d events, want %d", total, distinct, test.want)
			}
			for id := range at.counts() {
				if strings.HasPrefix(id, "after") {
					t.Fatalf("%s was delivered, though it was owed to nobody", id)
				}
			}
		})
	}
}
