package freeswitch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var converter = Converter{Recordings: recordingsDir}

func convert(t testing.TB, body []byte) []map[string]any {
	t.Helper()
	events, err := converter.Convert(body)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for _, event := range events {
		all = append(all, members(t, event.Body))
	}
	return all
}

func TestDocuments(t *testing.T) {
	for scenario, want := range wanted(t) {
		t.Run(scenario, func(t *testing.T) {
			var got []map[string]any
			for _, body := range documents(t, scenario) {
				got = append(got, convert(t, body)...)
			}
			check(t, got, want)
			ids(t, got)
			if testing.Verbose() {
				for _, e := range got {
					t.Log(shown(e))
				}
			}
		})
	}
}

// escape is what the module's encode and encode-values make of a text.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// edited is a document with other variables; a nil one is taken away.
func edited(t testing.TB, body []byte, change map[string]any) []byte {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	variables := d["variables"].(map[string]any)
	for name, value := range change {
		variables[name] = value
		if value == nil {
			delete(variables, name)
		}
	}
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func compact(t testing.TB, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, body); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func encodedDocument(t testing.TB, body []byte) []byte {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	change := map[string]any{}
	for name, value := range d["variables"].(map[string]any) {
		change[name] = escape(value.(string))
	}
	return edited(t, body, change)
}

// agentDocument is that of an agent's leg.
func agentDocument(t testing.TB) []byte { return documents(t, "q_caller_hangs_up")[1] }

func TestEncodings(t *testing.T) {
	plain := agentDocument(t)
	events, err := converter.Convert(plain)
	if err != nil {
		t.Fatal(err)
	}
	want := lines(events)
	for _, test := range []struct {
		name string
		body []byte
	}{
		{"values encoded", encodedDocument(t, plain)},
		{"a form field", []byte("cdr=" + escape(string(plain)))},
		{"a form field in base64", []byte("cdr=" + base64.StdEncoding.EncodeToString(plain))},
		{"a spooled file", []byte(escape(string(plain)) + "\n")},
		{"a spooled file in base64", []byte(base64.StdEncoding.EncodeToString(plain) + "\n")},
		{"both, where no string has a quote", []byte(strings.ReplaceAll(escape(string(edited(t, plain, map[string]any{
			"sip_from_display": nil, "sip_full_from": nil, "sip_contact": "line" + "ENDS",
		}))), "ENDS", "%0D%0A"))},
	} {
		if got, err := converter.Convert(test.body); err != nil || !bytes.Equal(lines(got), want) {
			t.Errorf("%s: %v, events:\n%swant:\n%s", test.name, err, lines(got), want)
		}
	}
}

// A document that both encodings spoiled is read or refused with what to
// change, and never lets a caller's name name a recording.
func TestBothEncodings(t *testing.T) {
	crafted := escape(`{"variables":{"uuid":"u","direction":"inbound","a":"`) + "%0D%0A" +
		escape(`","relay_recording":"/x/other.wav","relay_recording":"/x/own.wav"}}`)
	for name, body := range map[string][]byte{
		"real":    unpacked(t, "both-encodings.cdr.txt.gz"),
		"crafted": []byte(crafted),
	} {
		_, err := converter.Convert(body)
		if err == nil || !strings.Contains(err.Error(), "encode-values") {
			t.Errorf("%s: error %v, want one that names encode-values", name, err)
		}
	}
}

func TestInvalidText(t *testing.T) {
	plain := agentDocument(t)
	for name, body := range map[string][]byte{
		"not UTF-8":                bytes.ReplaceAll(plain, []byte("Extension%201001"), nil),
		"a name in Latin-1":        bytes.ReplaceAll(plain, []byte("Extension 1001"), []byte("Zo\xeb \xff")),
		"encoded values, Latin-1":  bytes.ReplaceAll(encodedDocument(t, plain), []byte("Extension%201001"), []byte("Zo%EB")),
		"a lone surrogate":         bytes.ReplaceAll(plain, []byte("Extension 1001"), []byte(`Zo\ud800`)),
		"a NUL in a name":          bytes.ReplaceAll(plain, []byte("Extension 1001"), []byte(`Zo\u0000`)),
		"a variable with a number": edited(t, plain, map[string]any{"progresssec": 5, "list": []string{"a"}}),
	} {
		if got := convert(t, body); len(got) != 1 || got[0]["agent_id"] != "1001@default" {
			t.Errorf("%s: %v, want the agent's segment", name, got)
		}
	}
}

func TestAgents(t *testing.T) {
	direct, queue := documents(t, "direct")[1], agentDocument(t)
	for _, test := range []struct {
		name   string
		body   []byte
		change map[string]any
		want   map[string]any // nil: no event
	}{
		{"a queue's agent", queue, nil, map[string]any{"agent_id": "1001@default", "agent_device": "1001", "agent_username": "Extension 1001", "direction": "inbound"}},
		{"a phone", direct, nil, map[string]any{"agent_id": "1001", "agent_device": "1001", "queue": nil}},
		{"the dialplan's word", direct, map[string]any{"relay_agent": "ann", "relay_agent_username": "Ann Lee"}, map[string]any{"agent_id": "ann", "agent_device": "1001", "agent_username": "Ann Lee"}},
		{"a phone that dialled on", direct, map[string]any{"dialed_user": "1003", "originate_disposition": "SUCCESS"}, map[string]any{"agent_id": "1001"}},
		{"the same without presence", direct, map[string]any{"presence_id": nil, "dialed_user": "1003", "originate_disposition": "SUCCESS"}, map[string]any{"agent_id": "1001"}},
		{"a trunk", direct, map[string]any{"dialed_user": nil}, nil},
		{"never bridged", queue, map[string]any{"bridge_uepoch": "0"}, map[string]any{"agent_id": "1001@default"}},
		{"a recording thrown away", queue, map[string]any{"RECORD_DISCARDED": "true"}, map[string]any{"recording": nil}},
		{"a recording elsewhere", queue, map[string]any{"relay_recording": "/etc/passwd"}, map[string]any{"recording": nil}},
		{"a recording above", queue, map[string]any{"relay_recording": recordingsDir + "/../x.wav"}, map[string]any{"recording": nil}},
		{"a recording without relay_recording", queue, map[string]any{"relay_recording": nil}, map[string]any{"recording": "6adaf049-322e-491f-9106-e8e51978cf24-1001.wav"}},
		{"held", queue, map[string]any{"hold_accum_usec": "1500000"}, map[string]any{"hold_duration": 1.5}},
		{"a standing leg", queue, map[string]any{"cc_agent_type": "uuid-standby"}, nil},
		{"a loopback", queue, map[string]any{"is_loopback": "1"}, nil},
		{"a loopback's name", queue, map[string]any{"channel_name": "loopback/1001-a"}, nil},
		{"an end for another cause", direct, map[string]any{"last_bridge_hangup_cause": nil, "hangup_cause": "MEDIA_TIMEOUT"}, map[string]any{"term_reason": ""}},
	} {
		got := convert(t, edited(t, test.body, test.change))
		if test.want == nil {
			if len(got) != 0 {
				t.Errorf("%s: %v, want no event", test.name, got)
			}
			continue
		}
		if len(got) == 0 {
			t.Errorf("%s: no event", test.name)
			continue
		}
		for name, want := range test.want {
			if got[0][name] != want {
				t.Errorf("%s: %s = %v, want %v", test.name, name, got[0][name], want)
			}
		}
	}
}

// read are the variables of a document that matter.
var read = strings.Fields(`cc_side cc_agent_type is_loopback channel_name relay_agent cc_agent cc_queue cc_queue_joined_epoch cc_queue_answered_epoch
	cc_queue_canceled_epoch cc_cause cc_cancel_reason hangup_cause last_bridge_hangup_cause relay_recording bridge_uepoch answer_uepoch start_uepoch
	end_uepoch originator originating_leg_uuid originate_disposition last_bridge_to cc_member_session_uuid direction presence_id
	effective_caller_id_name transfer_disposition sip_hangup_disposition hold_accum_usec`)

// A document that lacks any one of its variables is still of the same leg: an
// agent's gives one segment of that agent and no call, a caller's his call and
// every stay in a queue, and none is refused.
func TestAVariableIsMissing(t *testing.T) {
	for scenario := range wanted(t) {
		for n, body := range documents(t, scenario) {
			if scenario == "made_old_callflow" || len(body) == 0 {
				continue // its names repeat
			}
			whole := kinds(convert(t, body))
			var d map[string]any
			if err := json.Unmarshal(body, &d); err != nil {
				t.Fatal(err)
			}
			variables := d["variables"].(map[string]any)
			maps.DeleteFunc(variables, func(name string, _ any) bool {
				return !slices.Contains(read, name) && name != "uuid" && name != "dialed_user" && name != "user_name"
			})
			for _, name := range read {
				value, there := variables[name]
				if !there {
					continue
				}
				delete(variables, name)
				less, err := json.Marshal(d)
				if err != nil {
					t.Fatal(err)
				}
				if got := kinds(convert(t, less)); !slices.Equal(got, whole) {
					t.Errorf("%s %d without %s: %q, want %q", scenario, n, name, got, whole)
				}
				variables[name] = value
			}
		}
	}
}

// kinds are the events in short, transfers left out: who ended a leg can be
// said by one variable alone.
func kinds(events []map[string]any) (all []string) {
	for _, e := range events {
		if e["event"] != "transfer_termination" && e["event"] != "call_start" {
			all = append(all, fmt.Sprint(e["event"], " ", e["segment_id"], " ", e["agent_device"]))
		}
	}
	return all
}

// What is of another type than it should is not there; of an array the last
// text counts. A document without variables is refused: nothing else says
// whose leg it is.
func TestOtherTypes(t *testing.T) {
	body := agentDocument(t)
	for name, change := range map[string]func(d map[string]any){
		"no callflow":           func(d map[string]any) { delete(d, "callflow") },
		"a callflow of text":    func(d map[string]any) { d["callflow"] = "" },
		"an empty profile":      func(d map[string]any) { d["callflow"].([]any)[0].(map[string]any)["caller_profile"] = map[string]any{} },
		"a profile of text":     func(d map[string]any) { d["callflow"].([]any)[0].(map[string]any)["caller_profile"] = "" },
		"times of text":         func(d map[string]any) { d["callflow"].([]any)[0].(map[string]any)["times"] = "0" },
		"a log that is a list":  func(d map[string]any) { d["app_log"] = []any{} },
		"no log, no switchname": func(d map[string]any) { delete(d, "app_log"); delete(d, "switchname") },
		"variables as arrays": func(d map[string]any) {
			for name, value := range d["variables"].(map[string]any) {
				d["variables"].(map[string]any)[name] = []any{"0", value}
			}
		},
	} {
		var d map[string]any
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatal(err)
		}
		change(d)
		other, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		got := convert(t, other)
		if len(got) != 1 || got[0]["event"] != "agent_termination" || got[0]["agent_id"] != "1001@default" || got[0]["recording"] == nil {
			t.Errorf("%s: %v, want the agent's segment", name, got)
		}
	}
	if _, err := converter.Convert([]byte(`{"callflow":[{"caller_profile":{"uuid":"u"}}]}`)); err == nil || !strings.Contains(err.Error(), "no variables") {
		t.Errorf("error %v, want one that says what is missing", err)
	}
}

// After an attended transfer the second agent's file begins with what the
// agents said among themselves.
func TestRecordingOfConsultation(t *testing.T) {
	for _, body := range documents(t, "q_attended_refer") {
		for _, e := range convert(t, body) {
			start, _ := e["recording_start"].(float64)
			if e["agent_id"] == "1002" && (start < 4 || start > 4.2) {
				t.Errorf("recording_start = %v, want 4.08", start)
			}
			if e["agent_id"] == "1001@default" && start != 0 {
				t.Errorf("recording_start = %v of the first agent", start)
			}
		}
	}
}

func TestCallResults(t *testing.T) {
	abandon, direct := documents(t, "q_abandon")[0], documents(t, "direct")[0]
	talkless := edited(t, direct, map[string]any{"originate_disposition": "NO_ANSWER", "bridge_uepoch": "0"})
	talkless = bytes.ReplaceAll(talkless, []byte(`"bridged_time":"1795795515370323"`), []byte(`"bridged_time":"0"`))
	const peer = `"chan_name":"sofia/internal/1001@127.0.0.1:25101"`
	mailbox := bytes.ReplaceAll(compact(t, edited(t, direct, map[string]any{"last_bridge_hangup_cause": "USER_BUSY"})), []byte(peer), []byte(`"chan_name":"loopback/app=voicemail:default-a"`))
	for _, test := range []struct {
		name         string
		body         []byte
		change       map[string]any
		result, left string
	}{
		{"hung up in the queue", abandon, nil, "Abandoned", "hangup"},
		{"let go", abandon, map[string]any{"cc_cancel_reason": "TIMEOUT"}, "Deflected", "timeout"},
		{"no agents", abandon, map[string]any{"cc_cancel_reason": "NO_AGENT_TIMEOUT"}, "Deflected", "no_agents"},
		{"a key", abandon, map[string]any{"cc_cancel_reason": "EXIT_WITH_KEY"}, "Deflected", "key"},
		{"moved out of the queue", abandon, map[string]any{"end_uepoch": "1795795392630323"}, "Deflected", ""},
		{"answered without a queue", direct, nil, "Connected", ""},
		{"a mailbox answered", mailbox, nil, "Busy", ""},
		{"nobody answered", talkless, map[string]any{"hangup_cause": "NO_ANSWER"}, "Missed", ""},
		{"gave up while it rang", talkless, map[string]any{"hangup_cause": "ORIGINATOR_CANCEL"}, "Missed", ""},
		{"busy", talkless, map[string]any{"last_bridge_hangup_cause": "USER_BUSY"}, "Busy", ""},
		{"no such number", talkless, map[string]any{"hangup_cause": "UNALLOCATED_NUMBER"}, "Failed", ""},
	} {
		missed := false
		for _, e := range convert(t, edited(t, test.body, test.change)) {
			switch e["event"] {
			case "post_call", "call_end":
				if e["call_result"] != test.result || e["direction"] != "inbound" {
					t.Errorf("%s: %v %v, want %s inbound", test.name, e["call_result"], e["direction"], test.result)
				}
			case "queue_abandon":
				if got, _ := e["queue_result"].(string); got != test.left {
					t.Errorf("%s: queue_result %q, want %q", test.name, got, test.left)
				}
			case "call_missed":
				missed = true
			}
		}
		if missed != (test.result != "Connected") {
			t.Errorf("%s: call_missed %v", test.name, missed)
		}
	}
}

// A call that an agent makes is his segment, as outbound; one to a colleague
// is internal.
func TestDirections(t *testing.T) {
	for _, e := range append(convert(t, documents(t, "agent_calls_out")[1]), convert(t, documents(t, "q_attended_refer")[1])...) {
		want := map[any]string{"9005": "outbound", "1002": "internal"}[e["dnis"]]
		if e["direction"] != want {
			t.Errorf("%s: direction %v, want %s", shown(e), e["direction"], want)
		}
		if e["event"] == "agent_termination" && (e["agent_id"] != "1001" || want != "outbound" || e["term_reason"] != "agent") {
			t.Errorf("segment %s", shown(e))
		}
	}
}

func TestRecordingThroughSymlink(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	folder := filepath.Join(dir, "real")
	if err := errors.Join(os.Mkdir(folder, 0o755), os.Symlink(folder, link)); err != nil {
		t.Fatal(err)
	}
	outside := ""
	c := Converter{Recordings: link, Outside: func(file string) { outside = file }}
	if got := c.below(filepath.Join(folder, "a.wav")); got != "a.wav" {
		t.Errorf("below = %q, want a.wav", got)
	}
	if got := c.below(dir + "/b.wav"); got != "" || outside != dir+"/b.wav" {
		t.Errorf("below = %q, outside %q", got, outside)
	}
}

func FuzzConvert(f *testing.F) {
	f.Add(agentDocument(f))
	f.Add(documents(f, "q_requeue_answered")[2])
	f.Add(documents(f, "made_old_callflow")[0])
	f.Add(unpacked(f, "both-encodings.cdr.txt.gz"))
	f.Add([]byte("cdr=%7B%22variables%22%3A%7B%22uuid%22%3A%22x%22%7D%7D"))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := converter.Convert(body)
		if err != nil {
			return
		}
		for _, event := range events {
			if !json.Valid(event.Body) {
				t.Errorf("not JSON: %s", event.Body)
			}
		}
	})
}
