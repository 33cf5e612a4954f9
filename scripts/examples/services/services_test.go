package services

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"callrelay/scripts/trial"
)

var binary string

func TestMain(m *testing.M) { os.Exit(trial.RunTests(m, &binary)) }

// A shape is what a product takes: the value of a header, and each member of
// the body by its path with a pattern for the value as JSON. A member that the
// list lacks is refused; one with a ? behind its path may be missing.
type shape struct {
	header, value string
	members       map[string]string
	answer        string
}

const (
	text    = `^".+"$`
	phone   = `^"\+?[0-9]+"$`
	integer = `^[0-9]+$`
)

var shapes = map[string]shape{
	"/services/T00000000/": {members: map[string]string{"text": text}, answer: "ok"},
	"/workflows/": {members: map[string]string{
		"type": `^"message"$`, "attachments.0.contentType": `^"application/vnd.microsoft.card.adaptive"$`,
		"attachments.0.content.type": `^"AdaptiveCard"$`, "attachments.0.content.version": `^"1\.`,
		"attachments.0.content.body.0.type": `^"TextBlock"$`, "attachments.0.content.body.0.weight": text, "attachments.0.content.body.0.text": text,
		"attachments.0.content.body.1.type": `^"FactSet"$`, "attachments.0.content.body.1.facts.0.title": text, "attachments.0.content.body.1.facts.0.value": text,
		"attachments.0.content.body.1.facts.1.title": text, "attachments.0.content.body.1.facts.1.value": text,
		"attachments.0.content.body.1.facts.2.title": text, "attachments.0.content.body.1.facts.2.value": text,
	}},
	"/api/v1/cti/": {members: map[string]string{
		"event": `^"(newCall|answer|hangup)"$`, "callId": text, "direction": `^"(in|out)"$`, "from": text, "to": phone, "user.0?": text,
		"queue?": text, "answeringNumber?": text, "cause?": `^"(busy|cancel|noAnswer|congestion|notFound|normalClearing)"$`,
	}},
	"/crm/v3/objects/calls": {header: "Authorization", value: "Bearer secret", members: map[string]string{
		"properties.hs_timestamp": `^"[0-9]{13}"$`, "properties.hs_call_title": text, "properties.hs_call_body": ``,
		"properties.hs_call_direction": `^"(INBOUND|OUTBOUND)"$`, "properties.hs_call_duration": `^"[0-9]+"$`, "properties.hs_call_from_number": phone,
		"properties.hs_call_to_number": phone, "properties.hs_call_recording_url?": `^"(https://.*)?"$`, "properties.hs_call_status": `^"COMPLETED"$`,
	}},
	"/v1/callLogs": {header: "X-Api-Token", value: "secret", members: map[string]string{
		"subject?": text, "outcome": `^"(connected|no_answer|left_message|left_voicemail|wrong_number|busy)"$`, "duration?": `^"[0-9]+"$`,
		"from_phone_number?": phone, "to_phone_number": phone, "start_time": utc, "end_time": utc, "note?": text,
	}},
	"/api/v2/tickets.json": {header: "Authorization", value: "Basic cmVsYXlAZXhhbXBsZS5jb20vdG9rZW46c2VjcmV0", members: map[string]string{
		"ticket.subject": text, "ticket.comment.body": text, "ticket.external_id": text, "ticket.via.channel": text, "ticket.tags.0": text,
	}},
	"/services/data/": {header: "Authorization", value: "Bearer granted", members: map[string]string{
		"Subject": text, "Status": text, "TaskSubtype": `^"Call"$`, "CallType": `^"(Internal|Inbound|Outbound)"$`, "CallDurationInSeconds": integer,
		"CallObject": text, "CallDisposition?": text, "ActivityDate": `^"\d{4}-\d\d-\d\d"$`, "Description?": ``,
	}},
	"/crm/v8/Calls": {header: "Authorization", value: "Bearer granted", members: map[string]string{
		"data.0.Subject": text, "data.0.Call_Type": `^"(Inbound|Outbound|Missed)"$`, "data.0.Call_Start_Time": `^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"$`,
		"data.0.Call_Duration_in_seconds": integer, "data.0.Outbound_Call_Status?": `^"(Completed|)"$`, "data.0.Description?": text,
	}, answer: `{"data":[{"code":"SUCCESS"}]}`},
	"/rest/1/": {members: map[string]string{
		"fields.TITLE": text, "fields.SOURCE_ID": `^"CALL"$`, "fields.COMMENTS": text, "fields.PHONE.0.VALUE": phone, "fields.PHONE.0.VALUE_TYPE": `^"WORK"$`,
	}, answer: `{"result":7}`},
	"/api/v2/tickets": {header: "Authorization", value: "secret", members: map[string]string{
		"subject": text, "description": text, "phone": phone, "name": text, "source": `^3$`, "status": `^[2-5]$`, "priority": `^[1-4]$`,
	}},
	"/webhook/": {header: "X-Relay-Token", value: "secret", members: flow},
	"/call":     {header: "Authorization", value: "Basic cmVsYXk6c2VjcmV0", members: flow},
	"/calls": {members: map[string]string{
		"id": text, "event": text, "call": text, "queue?": text, "direction?": text, "from": phone, "to": phone, "start": text,
		"seconds": `^[0-9.]+$`, "agent.id": text, "agent.name": ``, "recording": ``,
	}},
}

const utc = `^"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"$`

// flow is what the two workflow engines are sent: they take anything.
var flow = map[string]string{
	"id": text, "event": text, "call": text, "queue": ``, "direction": text, "from": phone, "to": phone, "start": ``,
	"seconds": `^[0-9.]+$`, "agent": text, "agentName": ``, "recording": ``,
}

// TestEveryExampleIsTaken runs all examples in one relay, for calls with awkward
// names and with as little as a call can have.
func TestEveryExampleIsTaken(t *testing.T) {
	products := &products{taken: map[string]int{}}
	receiver := httptest.NewServer(http.HandlerFunc(products.answer))
	defer receiver.Close()
	var toml strings.Builder
	for _, name := range Names() {
		example, _ := Text(name)
		toml.WriteString(address.ReplaceAllString(secret.ReplaceAllString(example, `"secret"`), "${1}"+receiver.URL))
	}
	relay := trial.Start(t, binary, toml.String())
	for _, event := range []string{
		`{"event":"agent_ring",` + call + `}`, `{"event":"agent_connect",` + call + `}`, `{"event":"agent_termination",` + call + `,` + spoken + `}`,
		`{"event":"call_end",` + call + `,"call_result":"Connected"}`, `{"event":"agent_termination","direction":"outbound",` + bare + `,` + spoken + `}`,
		`{"event":"call_missed",` + bare + `,"rang":[]}`, `{"event":"queue_abandon",` + call + `,"queue_result":"hangup"}`,
	} {
		relay.Accept(event)
	}
	relay.Until("nothing is owed", func() bool {
		status := relay.Page("/metrics")
		return owed.FindString(status) == "" || len(products.problems()) > 0
	})
	for _, problem := range products.problems() {
		t.Error(problem)
	}
	for path := range shapes {
		if products.taken[path] == 0 {
			t.Errorf("nothing came to %s", path)
		}
	}
}

const (
	call   = `"uii":"c1","direction":"inbound","queue":"support","ani":"+15551230001","dnis":"+15559870002","call_start":"2026-11-27T10:00:00Z","agent_id":"PJSIP/201","agent_username":"O\"Neil & <Sons>","agent_notes":"wants\na \"call\" back"`
	bare   = `"uii":"c2","ani":"15551230001","dnis":"201","call_start":"2026-11-27T10:00:00Z","agent_id":"PJSIP/201"`
	spoken = `"segment_id":"1","agent_duration":166.123,"segment_start":"2026-11-27T10:00:05.5Z","segment_end":"2026-11-27T10:02:51.623Z"`
)

var (
	address = regexp.MustCompile(`(?m)^([^#
]*)https?://[^/"]+`)
	secret = regexp.MustCompile(`\{ env = "[A-Z0-9_]+" \}`)
	owed   = regexp.MustCompile(`(?m)^relay_(pending|dead_letters)\{.*\} [1-9].*$`)
)

// products answer as the documented products do: 400 to what has another shape.
type products struct {
	mu    sync.Mutex
	taken map[string]int // by the path of a shape
	wrong []string
}

func (p *products) problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.wrong)
}

func (p *products) answer(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/token") && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"granted","token_type":"Bearer","expires_in":3600}`))
		return
	}
	path := longestPrefix(r.URL.Path)
	err := shapes[path].check(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.wrong = append(p.wrong, fmt.Sprintf("%s %s: %v", r.Header.Get("Relay-Service"), r.URL.Path, err))
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.taken[path]++
	_, _ = w.Write([]byte(shapes[path].answer))
}

func longestPrefix(path string) string {
	longest := ""
	for prefix := range shapes {
		if strings.HasPrefix(path, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	return longest
}

func (s shape) check(r *http.Request) error {
	if s.header != "" && r.Header.Get(s.header) != s.value {
		return fmt.Errorf("%s is %q, want %q", s.header, r.Header.Get(s.header), s.value)
	}
	if r.Header.Get("Content-Type") != "application/json" {
		return fmt.Errorf("Content-Type %q", r.Header.Get("Content-Type"))
	}
	var body any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err
	}
	members := map[string]string{}
	flatten(members, "", body)
	for path, pattern := range s.members {
		path, optional := strings.CutSuffix(path, "?")
		value, there := members[path]
		delete(members, path)
		if !there && !optional {
			return fmt.Errorf("%s is missing", path)
		}
		if there && !regexp.MustCompile(pattern).MatchString(value) {
			return fmt.Errorf("%s is %s, want %s", path, value, pattern)
		}
	}
	if len(members) > 0 {
		return fmt.Errorf("unknown members %v", members)
	}
	return nil
}

// flatten lists the leaves of a JSON value, as JSON, by their path.
func flatten(into map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(into, strings.TrimPrefix(path+"."+name, "."), member)
		}
	case []any:
		for i, element := range v {
			flatten(into, fmt.Sprintf("%s.%d", path, i), element)
		}
	default:
		text, _ := json.Marshal(v) // a value that was just read
		into[path] = strings.NewReplacer("\\u0026", "&").Replace(string(text))
	}
}
