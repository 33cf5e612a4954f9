package render

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// documentEvent is one segment of a call, as the document's examples have it.
var documentEvent = map[string]Value{
	"event":          {String, "agent_termination"},
	"queue":          {String, "support"},
	"agent_id":       {Number, "1401"},
	"agent_username": {String, "ann@example.com"},
	"ani":            {String, "+15551230001"},
	"dnis":           {String, "+15559870002"},
	"call_start":     {String, "2020-04-22T00:00:00Z"},
	"duration":       {Number, "185"},
	"recording_url":  {String, "http://127.0.0.1:8090/recordings/20200422-1.wav?exp=1&sig=a"},
}

func lookup(event map[string]Value) Values {
	return func(name string) Value { return event[name] }
}

// timeTags are the tags of the tests that hold times.
var timeTags = []string{"call_start", "call_end", "enqueue_time", "dequeue_time", "now"}

func compile(t testing.TB, s Spec) *Template {
	t.Helper()
	if s.URL == "" {
		s.URL = "https://crm.example.com/calls"
	}
	if s.Method == "" {
		s.Method = "POST"
	}
	s.Times = timeTags
	template, problems := Compile(s)
	if len(problems) > 0 {
		t.Fatalf("Compile: %v", problems)
	}
	return template
}

func render(t testing.TB, s Spec, event map[string]Value) Request {
	t.Helper()
	req, err := compile(t, s).Render(lookup(event), time.Date(2020, 4, 22, 0, 3, 9, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// golden compares got with a file of testdata; with UPDATE_GOLDEN=1 it writes the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

// documentJSON is the document's JSON example, with the spaces it has.
const documentJSON = `{
  "agentId": "#agent_id#",
  "agentUsername": "#agent_username#",  
  "ani": "#ani#",
  "dnis": "#dnis#",
  "callStart": "#call_start#",
  "duration": "#duration#",
  "recordingUrl": "#recording_url#"
}`

// documentForm is the document's form example.
var documentForm = []Field{
	{"agent_id", "#agent_id#"},
	{"agent_username", "#agent_username#"},
	{"ani", "#ani#"},
	{"dnis", "#dnis#"},
	{"call_start", "#call_start#"},
	{"recording_url", "#recording_url#"},
}

func TestDocumentExamples(t *testing.T) {
	golden(t, "document-json", string(render(t, Spec{Body: "json", Text: documentJSON}, documentEvent).Body))
	golden(t, "document-form", string(render(t, Spec{Body: "params", Params: documentForm}, documentEvent).Body))
}

// TestReceiver makes the 20 parameters of a real receiver of these web services,
// which reads times in one form only, without a zone, and in Chicago.
func TestReceiver(t *testing.T) {
	const layout = "|time:2006-01-02 15:04:05|default:0001-01-01 00:00:00#"
	var params []Field
	for name := range strings.FieldsSeq(`uii call_start enqueue_time dequeue_time queue_duration ani dnis
		outbound_disposition duration gate_id gate_name recording_url agent_id agent_username agent_phone
		agent_disposition sess_duration agent_externid agent_notes call_result`) {
		value := "#" + name + "#"
		if slices.Contains(timeTags, name) {
			value = "#" + name + layout
		}
		params = append(params, Field{name, value})
	}
	spec := Spec{Body: "params", Params: params, Zone: zone(t, "America/Chicago")}
	golden(t, "receiver-form", strings.ReplaceAll(string(render(t, spec, documentEvent).Body), "&", "\n&")+"\n")
}

func TestContentType(t *testing.T) {
	for _, test := range []struct {
		name string
		spec Spec
		want string
	}{
		{"form", Spec{Body: "params"}, "application/x-www-form-urlencoded"},
		{"JSON", Spec{Body: "json", Text: "{}"}, "application/json"},
		{"XML", Spec{Body: "xml", Text: "<a/>"}, "application/xml; charset=utf-8"},
		{"text", Spec{Body: "text"}, "text/plain; charset=utf-8"},
		{"no body", Spec{}, ""},
		{"params in the query", Spec{Method: "GET", Body: "params"}, ""},
		{"its own", Spec{Body: "text", ContentType: "text/csv; q=#queue#"}, "text/csv; q=support"},
		{"SOAP 1.1", Spec{SOAP: &SOAP{Operation: "o"}}, "text/xml; charset=utf-8"},
		{"SOAP 1.2", Spec{SOAP: &SOAP{Version: "1.2", Operation: "o"}}, "application/soap+xml; charset=utf-8"},
		{
			"SOAP 1.2 with an action",
			Spec{SOAP: &SOAP{Version: "1.2", Operation: "o", Action: "urn:x/#queue#"}},
			`application/soap+xml; charset=utf-8; action="urn:x/support"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := render(t, test.spec, documentEvent).ContentType; got != test.want {
				t.Errorf("content type = %q, want %q", got, test.want)
			}
		})
	}
}

func TestBodyOrNone(t *testing.T) {
	for _, test := range []struct {
		name string
		spec Spec
		none bool
	}{
		{"none", Spec{}, true},
		{"form of a DELETE", Spec{Method: "DELETE", Body: "params"}, true},
		{"empty form", Spec{Body: "params"}, false},
		{"empty text", Spec{Body: "text"}, false},
		{"JSON of a DELETE", Spec{Method: "DELETE", Body: "json", Text: "1"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := render(t, test.spec, documentEvent).Body; (got == nil) != test.none {
				t.Errorf("body = %q, want none: %v", got, test.none)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	spec := Spec{Headers: []Field{{"X-Queue", "q=#queue#; n=##1"}, {"X-Fixed", "é\tx"}, {"X-Lacking", "#nothing#"}}}
	want := []Field{{"X-Queue", "q=support; n=#1"}, {"X-Fixed", "é\tx"}, {"X-Lacking", ""}}
	if got := render(t, spec, documentEvent).Header; !slices.Equal(got, want) {
		t.Errorf("header = %q, want %q", got, want)
	}
}

func TestReject(t *testing.T) {
	event := map[string]Value{"there": {String, ""}, "null": {Null, "null"}}
	for _, test := range []struct {
		name, text string
		want       string // of the error; empty: none
	}{
		{"there, if empty", "#there#", ""},
		{"lacking", "#lacking|upper#", "render text: #lacking|upper#: the event lacks it"},
		{"null", "#null#", "the event lacks it"},
		{"null for a number", "#lacking|number#", "the event lacks it"},
		{"with a default", "#lacking|default:-#", ""},
		{"with an empty default", "#lacking|default:#", ""},
		{"now is never lacking", "#now#", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := compile(t, Spec{Body: "text", Text: test.text, Reject: true}).Render(lookup(event), time.Time{})
			rerr, failed := errors.AsType[*Error](err)
			if failed != (test.want != "") || failed && !strings.Contains(rerr.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
		})
	}
}

func TestMappings(t *testing.T) {
	spec := Spec{
		Body:     "text",
		Text:     "#a# #a|upper# #b# #c|number# #d#,#e#",
		Mappings: map[string]string{"abc123": "xxxxxx", "abc": "no", "": "empty", "185": "3", "#a#": "no"},
	}
	event := map[string]Value{
		"a": {String, "abc123"}, "b": {String, "abc1234"}, "c": {Number, "185"}, "d": {String, ""},
	}
	if got, want := string(render(t, spec, event).Body), "xxxxxx XXXXXX abc1234 3 empty,"; got != want {
		t.Errorf("body = %q, want %q", got, want)
	}
	spec.Mappings = nil
	if got, want := string(render(t, spec, event).Body), "abc123 ABC123 abc1234 185 ,"; got != want {
		t.Errorf("without mappings, body = %q, want %q", got, want)
	}
}

func TestNow(t *testing.T) {
	spec := Spec{Body: "text", Text: "#now# #now|time:unix#"}
	if got, want := string(render(t, spec, nil).Body), "2020-04-22 00:03:09.0000 1587513789"; got != want {
		t.Errorf("now = %q, want %q", got, want)
	}
	event := map[string]Value{"now": {String, "2020-01-01T00:00:00Z"}}
	if got, want := string(render(t, spec, event).Body), "2020-01-01 00:00:00.0000 1577836800"; got != want {
		t.Errorf("now of the event = %q, want %q", got, want)
	}
}

func TestTags(t *testing.T) {
	template := compile(t, Spec{
		URL:     "https://example.com/#queue#",
		Headers: []Field{{"X-A", "#ani#"}},
		Body:    "json",
		Text:    `{"a": "#recording_url# #ani|upper#"}`,
	})
	want := []Tag{{"queue", "url"}, {"ani", "headers.X-A"}, {"recording_url", "json"}, {"ani", "json"}}
	if got := template.Tags(); !slices.Equal(got, want) {
		t.Errorf("tags = %v, want %v", got, want)
	}
	if !template.Uses("recording_url") || template.Uses("recording") {
		t.Error("Uses does not tell the tags that are used")
	}
}

func TestTrace(t *testing.T) {
	template := compile(t, Spec{
		URL:      "https://example.com/#queue#",
		Body:     "json",
		Text:     `{"a": "#duration|number#", "b": "#ani|last:4#", "c": "#lacking#"}`,
		Mappings: map[string]string{"support": "help & more"},
	})
	req, steps, err := template.Trace(lookup(documentEvent), time.Time{})
	if err != nil || string(req.Body) != `{"a": 185, "b": "0001", "c": ""}` {
		t.Errorf("request = %s, %v", req.Body, err)
	}
	want := []Step{
		{"url", "#queue#", Value{String, "support"}, "help & more"},
		{"json", "#duration|number#", Value{Number, "185"}, "185"},
		{"json", "#ani|last:4#", Value{String, "+15551230001"}, "0001"},
		{"json", "#lacking#", Value{}, ""},
	}
	if !slices.Equal(steps, want) {
		t.Errorf("steps = %v, want %v", steps, want)
	}
}

func TestProblems(t *testing.T) {
	for _, test := range []struct {
		name string
		spec Spec
		want string
	}{
		{"tag in the host", Spec{URL: "https://#queue#.example.com/"}, "url: 1:9: #queue#: a tag cannot stand in the scheme, user, host or port"},
		{"tag behind the host", Spec{URL: "https://example.com#queue#/"}, "url: 1:20: #queue#: a tag cannot stand in the scheme"},
		{"tag in the port", Spec{URL: "https://example.com:80#queue#"}, "#queue#: a tag cannot stand in the scheme"},
		{"tag in the scheme", Spec{URL: "#queue#://example.com/"}, "url: 1:1: #queue#: a tag cannot stand in the scheme"},
		{"tag for the URL", Spec{URL: "#url#"}, "url: 1:1: #url#: a tag cannot stand in the scheme"},
		{"other scheme", Spec{URL: "ftp://example.com"}, "url: not an http or https URL with a host"},
		{"no host", Spec{URL: "https:///calls"}, "url: not an http or https URL with a host"},
		{"fragment", Spec{URL: "https://example.com/##a"}, "url: it has a fragment"},
		{"bad escape", Spec{URL: "https://example.com/%zz"}, `url: not a URL: "%zz" is no percent escape`},
		{"bad URL with a password", Spec{URL: "https://u:secret@exa mple.com/"}, "url: not a URL"},
		{"tag in a name", Spec{Query: []Field{{"#a#", ""}}}, "query.#a#: #a#: a tag cannot stand in a name"},
		{"line break in a header", Spec{Headers: []Field{{"X", "a\n#b#"}}}, "headers.X: the value holds U+000A"},
		{"line break in the content type", Spec{ContentType: "a\r"}, "content_type: the value holds U+000D"},
	} {
		t.Run(test.name, func(t *testing.T) {
			template, problems := Compile(withURL(test.spec))
			if template != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), test.want) {
				t.Errorf("problems = %v, want one: %s", problems, test.want)
			}
			if strings.Contains(problems[0].Text, "secret") {
				t.Errorf("problem %s tells a password", problems[0])
			}
		})
	}
}

func TestProblemsAllAtOnce(t *testing.T) {
	_, problems := Compile(Spec{
		URL:     "https://example.com/#a|x#",
		Headers: []Field{{"X", "#a|y#"}},
		Body:    "params",
		Params:  []Field{{"p", "#a|z#"}, {"q", "#a|last#"}},
	})
	var keys []string
	for _, p := range problems {
		keys = append(keys, p.Key)
	}
	if want := []string{"url", "headers.X", "params.p", "params.q"}; !slices.Equal(keys, want) {
		t.Errorf("problems of %v, want %v", keys, want)
	}
}
