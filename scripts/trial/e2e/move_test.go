package e2e

import (
	"net/http"
	"strings"
	"testing"

	"callrelay/queue/queuetest"
	"callrelay/scripts/trial"
)

func TestAMoveBringsTheQueueIntoAClusterAndBack(t *testing.T) {
	queuetest.NeedsFolder(t)
	p := queuetest.Server(t, t.TempDir())
	at, sick := trial.NewReceiver(t), trial.NewReceiver(t)
	sick.AnswerStatus(http.StatusServiceUnavailable)
	services := trial.Service("crm", at.URL, "") + trial.Service("sick", sick.URL, "retry_schedule = [\"1h\"]\n[service.breaker]\nfailures = 1000\nratio = 1.0\nminimum = 1000")
	embedded := "[queue]\ndir = \"queue\"\nlisten = \"\"\n" + services
	r := trial.Start(t, binary, embedded)
	r.Run("pause", "crm")
	ids := r.Accept(trial.Numbered("x", "agent_termination", 100)...)
	r.Until("the retries are parked", func() bool { return r.Metric(`relay_retrying{service="sick"}`) == "100" })
	r.Configure(p.Configure(embedded))
	if out, code := r.Run("move", "--to", "cluster"); code != 1 || !strings.Contains(out, "in use by another relay") {
		t.Errorf("relay move while it runs = %d: %s", code, out)
	}
	r.Stop()
	if out, code := r.Run("move", "--to", "nowhere"); code != 2 {
		t.Errorf("relay move to nowhere = %d: %s", code, out)
	}
	const moved = "moved 200 deliveries, 100 waiting for another attempt, and 0 dead letters"
	for _, to := range []string{"cluster", "embedded", "cluster"} {
		if out, code := r.Run("move", "--to", to); code != 0 || !strings.Contains(out, moved) {
			t.Fatalf("relay move --to %s = %d: %s", to, code, out)
		}
	}
	r.Start()
	r.Until("the retries are known", func() bool { return r.Metric(`relay_retrying{service="sick"}`) == "100" })
	if out, _ := r.Run("status"); !strings.Contains(out, "paused") {
		t.Errorf("the pause is lost:\n%s", out)
	}
	r.Run("resume", "crm")
	r.Until("what was owed arrives", func() bool { return at.Missing(ids) == 0 })
	if total, distinct := at.Total(); total != distinct || total != len(ids) {
		t.Errorf("%d deliveries of %d events", total, len(ids))
	}
}
