package e2e

import (
	"fmt"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

func TestBadInputIsRefusedWithItsPlace(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	segments := strings.TrimSuffix(strings.Repeat(`{"agent_id":1},`, 257), ",")
	const jsonType = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    string // in the answer
	}{
		{"no event", jsonType, `{"queue":"q"}`, 400, `"field":"event"`},
		{"event of the wrong type", jsonType, `{"event":7}`, 400, `"field":"event"`},
		{"event name with a space", jsonType, `{"event":"agent termination"}`, 400, `"field":"event"`},
		{"two scopes", jsonType, `{"event":"x","queue":"a","campaign":"b"}`, 400, `campaign`},
		{"duplicate key", jsonType, `{"event":"x","a":1,"a":2}`, 400, `a`},
		{"invalid UTF-8", jsonType, "{\"event\":\"x\",\"a\":\"\xff\"}", 400, "UTF-8"},
		{"not JSON", jsonType, `{"event":`, 400, "error"},
		{"not an object", jsonType, `"event"`, 400, "error"},
		{"deep nesting", jsonType, `{"event":"x","a":` + deep + `}`, 400, "a"},
		{"reserved event", jsonType, `{"event":"relay_dead_letter"}`, 400, `"field":"event"`},
		{"reserved member", jsonType, `{"event":"x","event_id":"1"}`, 400, `"field":"event_id"`},
		{"recording outside", jsonType, `{"event":"x","recording":"../../etc/passwd"}`, 400, `"field":"recording"`},
		{"long id", jsonType, `{"event":"x","id":"` + strings.Repeat("a", 129) + `"}`, 400, `"field":"id"`},
		{"control character in id", jsonType, `{"event":"x","id":"a\u0000b"}`, 400, `"field":"id"`},
		{"too many segments", jsonType, `{"event":"x","segments":[` + segments + `]}`, 413, "segments"},
		{"segments no list", jsonType, `{"event":"x","segments":{}}`, 400, `"field":"segments"`},
		{"one of three is bad", jsonType, `[{"event":"agent_termination"},{"event":""},{"event":"agent_termination"}]`, 400, `"index":1`},
		{"bad line of three", "application/x-ndjson", "{\"event\":\"agent_termination\"}\n{}\n{\"event\":\"agent_termination\"}\n", 400, `"index":1`},
		{"too many events", jsonType, "[" + strings.TrimSuffix(strings.Repeat(`{"event":"x"},`, 1001), ",") + "]", 413, "error"},
		{"event too large", jsonType, `{"event":"x","a":"` + strings.Repeat("a", 300<<10) + `"}`, 413, "error"},
		{"request too large", jsonType, `{"event":"x","a":"` + strings.Repeat("a", 9<<20) + `"}`, 413, "error"},
		{"other type", "text/plain", `{"event":"x"}`, 415, "error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, answer := r.Post(test.contentType, test.body)
			if status != test.status || !strings.Contains(answer, test.want) || !strings.Contains(answer, `"error"`) {
				t.Errorf("got %d %s, want %d and %q", status, answer, test.status, test.want)
			}
		})
	}

	l, err := r.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	replies, err := l.Send(`{"event":""}`, `{"event":"agent_termination","id":"good"}`, `{"event":"x","a":1,"a":2}`)
	if err != nil {
		t.Fatal(err)
	}
	if replies[0].Status != 400 || replies[0].Field != "event" || !replies[1].Accepted || replies[1].ID != "good" || replies[2].Status != 400 {
		t.Errorf("replies %+v", replies)
	}
	r.Until("the good event arrives", func() bool { return at.Count("good") == 1 })
	if n, _ := at.Total(); n != 1 {
		t.Errorf("%d deliveries, want only the good one", n)
	}
}

func TestASecondRelayIsRefused(t *testing.T) {
	at := trial.NewReceiver(t)
	config := trial.Service("crm", at.URL, "")
	r := trial.Start(t, binary, config)
	out, code := r.Run("run")
	if code != 1 || strings.Contains(out, "panic") || !strings.Contains(out, "another relay") {
		t.Errorf("a second relay = %d:\n%s", code, out)
	}
	r.Accept(trial.Numbered("s", "agent_termination", 1)...)
	r.Until("the first still delivers", func() bool { n, _ := at.Total(); return n == 1 })
	r.Kill() // leaves its socket behind
	r.Start()
	r.Accept(trial.Numbered("t", "agent_termination", 1)...)
}

// webhookID is the form an event id has in the Webhook-Id header.
func webhookID(id string) string {
	var b strings.Builder
	for _, c := range []byte(id) {
		if c == '_' || c == '/' || c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}
