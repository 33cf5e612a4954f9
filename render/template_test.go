package render

import (
	"testing"
	"time"
)

// call is one segment of a call, as the document's examples have it.
var documentEvent = map[string]Value{
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

func compile(t testing.TB, s Spec) *Template {
	t.Helper()
	if s.URL == "" {
		s.URL = "https://crm.example.com/calls"
	}
	if s.Method == "" {
		s.Method = "POST"
	}
	template, problems := Compile(s)
	if len(problems) > 0 {
		t.Fatalf("Compile: %v", problems)
	}
	return template
}

func TestDocumentJSON(t *testing.T) {
	template := compile(t, Spec{Body: "json", Text: `{
  "agentId": "#agent_id#",
  "agentUsername": "#agent_username#",  
  "ani": "#ani#",
  "dnis": "#dnis#",
  "callStart": "#call_start#",
  "duration": "#duration#",
  "recordingUrl": "#recording_url#"
}`})
	req, err := template.Render(lookup(documentEvent), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "agentId": "1401",
  "agentUsername": "ann@example.com",  
  "ani": "+15551230001",
  "dnis": "+15559870002",
  "callStart": "2020-04-22 00:00:00.0000",
  "duration": "185",
  "recordingUrl": "http://127.0.0.1:8090/recordings/20200422-1.wav?exp=1&sig=a"
}`
	if got := string(req.Body); got != want {
		t.Errorf("body = %s\nwant %s", got, want)
	}
	if req.ContentType != "application/json" {
		t.Errorf("content type = %q, want application/json", req.ContentType)
	}
}
