package e2e

import (
	"fmt"
	"net/url"
	"testing"

	"callrelay/scripts/trial"
)

// document is the web service of the hosted product's guide, once as JSON and once as form data.
const document = `
[[service]]
name = "as-json"
url  = "%[1]s/json"
json = '''{
  "agentId": "#agent_id#",
  "agentUsername": "#agent_username#",  
  "ani": "#ani#",
  "dnis": "#dnis#",
  "callStart": "#call_start#",
  "duration": "#duration#",
  "recordingUrl": "#recording_url#"
}'''
[[service]]
name   = "as-form"
url    = "%[1]s/form"
params = { agent_id = "#agent_id#", agent_username = "#agent_username#", ani = "#ani#", dnis = "#dnis#", call_start = "#call_start#", recording_url = "#recording_url#" }
[[service]]
name   = "off"
active = false
url    = "%[1]s/off"
[[binding]]
event   = "agent_termination"
queue   = "support"
service = ["as-json", "as-form", "off"]
`

const documentEvent = `{"event":"agent_termination","queue":"support","uii":"202004220000000000000000000001","ani":"+15551230001","dnis":"+15559870002",` +
	`"call_start":"2020-04-22T00:00:00Z","duration":185,"recording_url":"https://rec.example.com/1?a=1&b=2",` +
	`"segments":[{"segment_id":"1","agent_id":1401,"agent_username":"ann@example.com"},{"segment_id":"2","agent_id":1402,"agent_username":"O\"Neil & <Sons>\n"}]}`

func TestTheDocumentsExamplesArriveLetterForLetter(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, fmt.Sprintf(document, at.URL))
	ids := r.Accept(documentEvent)
	if len(ids) != 2 {
		t.Fatalf("got ids %q, want one for each segment", ids)
	}
	r.Accept(`{"event":"agent_termination","queue":"nobody-listens"}`)
	r.Until("both segments reach both services", func() bool { n, _ := at.Total(); return n == 4 })

	want := map[string]bool{
		"{\n  \"agentId\": \"1401\",\n  \"agentUsername\": \"ann@example.com\",  \n  \"ani\": \"+15551230001\",\n  \"dnis\": \"+15559870002\",\n" +
			"  \"callStart\": \"2020-04-22 00:00:00.0000\",\n  \"duration\": \"185\",\n  \"recordingUrl\": \"https://rec.example.com/1?a=1&b=2\"\n}": true,
		"{\n  \"agentId\": \"1402\",\n  \"agentUsername\": \"O\\\"Neil & <Sons>\\n\",  \n  \"ani\": \"+15551230001\",\n  \"dnis\": \"+15559870002\",\n" +
			"  \"callStart\": \"2020-04-22 00:00:00.0000\",\n  \"duration\": \"185\",\n  \"recordingUrl\": \"https://rec.example.com/1?a=1&b=2\"\n}": true,
		"agent_id=1401&agent_username=ann%40example.com&ani=%2B15551230001&dnis=%2B15559870002&call_start=2020-04-22+00%3A00%3A00.0000&recording_url=" +
			url.QueryEscape("https://rec.example.com/1?a=1&b=2"): true,
		"agent_id=1402&agent_username=O%22Neil+%26+%3CSons%3E%0A&ani=%2B15551230001&dnis=%2B15559870002&call_start=2020-04-22+00%3A00%3A00.0000&recording_url=" +
			url.QueryEscape("https://rec.example.com/1?a=1&b=2"): true,
	}
	for _, a := range at.Arrivals() {
		if !want[a.Body] {
			t.Errorf("unexpected body on %s:\n%s", a.Path, a.Body)
		}
		delete(want, a.Body)
	}
	for body := range want {
		t.Errorf("never arrived:\n%s", body)
	}
	if code := r.Stop(); code != 0 {
		t.Errorf("exit status after SIGTERM = %d, want 0", code)
	}
}

func TestAResentEventIsTheSameEvent(t *testing.T) {
	at := trial.NewReceiver(t)
	r := trial.Start(t, binary, trial.Service("crm", at.URL, ""))
	first := r.Accept(`{"event":"agent_termination","uii":"U1","segment_id":"7","n":1}`)
	again := r.Accept(`{"segment_id":"7","n":1,"event":"agent_termination","uii":"U1"}`)
	other := r.Accept(`{"event":"agent_termination","uii":"U1","segment_id":"7","n":2}`)
	if first[0] != again[0] || first[0] == other[0] {
		t.Errorf("ids %q, %q, %q: want the first two equal and the third another", first, again, other)
	}
	r.Until("the second event arrives", func() bool { return at.Count(webhookID(other[0])) == 1 })
	if n, _ := at.Total(); n != 2 {
		t.Errorf("%d deliveries, want 2", n)
	}
}
