package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"callrelay/scripts/trial"
)

// alarm is a relay_* event as the pager got it.
type alarm struct {
	Event    string `json:"event"`
	Service  string `json:"service"`
	Endpoint string `json:"endpoint"`
	Reason   string `json:"reason"`
	Error    string `json:"error"`
	Problem  string `json:"problem"`
	Status   int    `json:"status"`
	Count    int    `json:"count"`
	Bytes    int    `json:"bytes"`
}

// pager is a service that gets the relay's own events.
func pager(url string) string {
	return fmt.Sprintf(`[[service]]
name = "pager"
url = %q
retry_schedule = ["50ms"]
json = '{"event":"#event#","service":"#service#","endpoint":"#endpoint#","reason":"#reason#","error":"#error#","problem":"#problem#","status":"#status|number#","count":"#count|number#","bytes":"#bytes|number#"}'
[service.breaker]
open = "200ms"
[[binding]]
event = ["relay_breaker_opened", "relay_breaker_closed", "relay_dead_letter", "relay_queue_high", "relay_config_rejected"]
service = "pager"
`, url)
}

func alarms(t *testing.T, at *trial.Receiver) map[string]alarm {
	t.Helper()
	list := map[string]alarm{}
	for _, got := range at.Arrivals() {
		var a alarm
		if err := json.Unmarshal([]byte(got.Body), &a); err != nil {
			t.Fatalf("%v: %s", err, got.Body)
		}
		list[a.Event] = a
	}
	return list
}

func TestAnOperatorIsToldOfWhatGoesWrong(t *testing.T) {
	at, page := trial.NewReceiver(t), trial.NewReceiver(t)
	config := trial.Service("crm", at.URL+"/secret-path", "retry_schedule = [\"50ms\"]\n[service.breaker]\nopen = \"200ms\"") + pager(page.URL)
	r := trial.Start(t, binary, config)
	told := func(event string) alarm {
		r.Until(event+" arrives", func() bool { return alarms(t, page)[event].Event != "" })
		return alarms(t, page)[event]
	}
	host := strings.TrimPrefix(at.URL, "http://")

	at.Answer(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such agent", http.StatusUnprocessableEntity)
	})
	r.Accept(trial.Numbered("refused", "agent_termination", 1)...)
	if a := told("relay_dead_letter"); a.Service != "crm" || a.Endpoint != host || a.Reason != "rejected" || a.Status != 422 ||
		a.Count != 1 || !strings.Contains(a.Error, "no such agent") {
		t.Errorf("got %+v", a)
	}

	at.AnswerStatus(http.StatusServiceUnavailable)
	r.Accept(trial.Numbered("held", "agent_termination", 20)...)
	if a := told("relay_breaker_opened"); a.Service != "crm" || a.Endpoint != host || !strings.Contains(a.Error, "503") {
		t.Errorf("got %+v", a)
	}
	at.AnswerStatus(http.StatusOK)
	if a := told("relay_breaker_closed"); a.Service != "crm" || a.Endpoint != host {
		t.Errorf("got %+v", a)
	}

	r.Configure(config + "[[binding]]\nevent = \"call_end\"\nservice = \"crm2\"\n")
	r.Hangup()
	if a := told("relay_config_rejected"); !strings.Contains(a.Problem, `"crm2" is not defined`) {
		t.Errorf("got %+v", a)
	}
}

func TestDeadLettersAreToldTogether(t *testing.T) {
	at, page := trial.NewReceiver(t), trial.NewReceiver(t)
	at.AnswerStatus(http.StatusBadRequest)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, "concurrency = 32")+pager(page.URL))
	const n = 2000
	r.Accept(trial.Numbered("d", "agent_termination", n)...)
	r.Until("all are dead letters", func() bool {
		return r.Metric(`relay_dead_letters{reason="rejected",service="crm"}`) == fmt.Sprint(n)
	})
	if code := r.Stop(); code != 0 { // what waits for its minute is told before the end
		t.Fatalf("exit status %d", code)
	}
	r.Start()
	total := 0
	r.Until("all were told of", func() bool {
		total = 0
		for _, got := range page.Arrivals() {
			var a alarm
			if err := json.Unmarshal([]byte(got.Body), &a); err != nil {
				t.Fatal(err)
			}
			total += a.Count
		}
		return total >= n
	})
	if _, events := page.Total(); total != n || events > 3 {
		t.Errorf("%d events told of %d dead letters, want at most 3 of %d", events, total, n)
	}
}

func TestAnOperatorIsToldOfAQueueThatFillsUp(t *testing.T) {
	at, page := trial.NewReceiver(t), trial.NewReceiver(t)
	r := trial.Start(t, binary, "[queue]\ndir = \"queue\"\nlisten = \"\"\nmax_bytes = \"2MiB\"\n"+trial.Service("crm", at.URL, "")+pager(page.URL))
	r.Run("pause", "crm")
	notes := strings.Repeat("x", 4000)
	var events []string
	for i := range 450 {
		events = append(events, fmt.Sprintf(`{"event":"agent_termination","n":%d,"agent_notes":%q}`, i, notes))
	}
	r.Accept(events...)
	r.Until("the alarms arrive", func() bool {
		got := alarms(t, page)
		return got["relay_queue_high"].Event != "" && got["relay_dead_letter"].Event != ""
	})
	got := alarms(t, page)
	if high := got["relay_queue_high"]; high.Bytes < 1_600_000 {
		t.Errorf("got %+v, want more than 80 %% of 2 MiB", high)
	}
	if made := got["relay_dead_letter"]; made.Service != "crm" || made.Reason != "overflow" || made.Count < 1 {
		t.Errorf("got %+v, want what crm gave up", made)
	}
	if dead := r.Metric(`relay_deliveries_total{outcome="dead",service="crm"}`); dead == "0" || dead == "" {
		t.Errorf("relay_deliveries_total counts %q dead letters", dead)
	}
}

func TestAlarmsNeverFeedOnThemselves(t *testing.T) {
	at, page := trial.NewReceiver(t), trial.NewReceiver(t)
	at.AnswerStatus(http.StatusBadRequest)
	var calls atomic.Int64
	page.Answer(func(w http.ResponseWriter, _ *http.Request) { // alternates, so that every way of failing is gone
		if calls.Add(1)%7 == 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r := trial.Start(t, binary, trial.Service("crm", at.URL, "")+pager(page.URL))
	r.Accept(trial.Numbered("d", "agent_termination", 10)...)
	r.Until("the breaker of the pager opened, and its alarm became a dead letter", func() bool {
		return r.Metric(`relay_dead_letters{reason="rejected",service="pager"}`) == "1" && strings.Contains(r.Log(), "breaker opened")
	})
	r.Run("dead", "replay", "--service", "pager")
	r.Until("it became one again", func() bool {
		return page.Refused() > 8 && r.Metric(`relay_dead_letters{reason="rejected",service="pager"}`) == "1"
	})
	for _, event := range []string{"relay_breaker_opened", "relay_breaker_closed"} {
		if got := r.Metric(`relay_events_accepted_total{event="` + event + `"}`); got != "" && got != "0" {
			t.Errorf("%s raised %s times for the endpoint of alarms itself", event, got)
		}
	}
	if got := r.Metric(`relay_events_accepted_total{event="relay_dead_letter"}`); got != "1" {
		t.Errorf("%s alarms of dead letters, want the one of crm", got)
	}
}
