package e2e

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

// cable puts a wire before each server of a cluster.
func cable(t *testing.T, p *queuetest.Place) (set func(cut bool)) {
	t.Helper()
	p.Servers = slices.Clone(p.Servers)
	var wires []*queuetest.Wire
	for i, server := range p.Servers {
		to, err := url.Parse(server)
		if err != nil {
			t.Fatal(err)
		}
		w, err := queuetest.NewWire(to.Host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		to.Host = w.Address()
		p.Servers[i] = to.String()
		wires = append(wires, w)
	}
	return func(cut bool) {
		for _, w := range wires {
			w.Set(cut)
		}
	}
}

func TestAClusterThatIsAwayIsBridgedByTheSpool(t *testing.T) {
	p := queuetest.Server(t, t.TempDir())
	cut := cable(t, &p)
	at := trial.NewReceiver(t)
	r := trial.New(t, binary, p.Configure("[queue]\ndir = \"queue\"\nlisten = \"\"\nspool = true\n")+trial.Service("crm", at.URL, "order = \"call\""))
	r.Start()
	ids := r.Accept(trial.Numbered("before", "agent_termination", 20)...)
	r.Until("the cluster works", func() bool { return at.Missing(ids) == 0 })
	r.Until("it knows what is done", func() bool { return r.Metric(`relay_pending{service="crm"}`) == "0" })
	cut(true)
	ids = append(ids, r.Accept(trial.Numbered("away", "agent_termination", 100)...)...)
	if health := r.Page("/healthz"); !strings.HasPrefix(health, "degraded: events are spooled") {
		t.Errorf("health: %s", health)
	}
	r.Until("what is spooled is counted", func() bool { return r.Metric(`relay_pending{service="crm"}`) == "100" })
	if out, _ := r.Run("status"); !strings.Contains(out, "100 deliveries spooled here") || !strings.Contains(out, "degraded") {
		t.Errorf("relay status:\n%s", out)
	}
	r.Kill()
	r.Start() // and the cluster is still away
	ids = append(ids, r.Accept(trial.Numbered("later", "agent_termination", 50)...)...)
	cut(false)
	r.Until("all arrive", func() bool { return at.Missing(ids) == 0 })
	if total, distinct := at.Total(); total != distinct {
		t.Errorf("%d deliveries of %d events", total, distinct)
	}
	r.Until("all is well", func() bool { return strings.TrimSpace(r.Page("/healthz")) == "ok" })
	r.Until("nothing waits", func() bool { return r.Metric(`relay_pending{service="crm"}`) == "0" })
}

func TestAClusterThatIsAwayIsRefusedWithoutASpool(t *testing.T) {
	p := queuetest.Server(t, t.TempDir())
	cut := cable(t, &p)
	at := trial.NewReceiver(t)
	r := trial.New(t, binary, p.Configure("[queue]\ndir = \"queue\"\nlisten = \"\"\n")+trial.Service("crm", at.URL, ""))
	r.Start()
	cut(true)
	status, answer := r.Post("application/json", `{"event":"agent_termination","id":"e1"}`)
	if status != 503 || !strings.Contains(answer, "error") {
		t.Errorf("got %d %s", status, answer)
	}
	cut(false)
	r.Until("it takes events again", func() bool {
		status, _ := r.Post("application/json", `{"event":"agent_termination","id":"e1"}`)
		return status == 202
	})
	r.Until("it is delivered once", func() bool { total, _ := at.Total(); return total == 1 })
}
