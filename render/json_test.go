package render

import (
	"strings"
	"testing"
	"time"
)

func TestJSON(t *testing.T) {
	event := map[string]Value{
		"n": {Number, "1.50"}, "s": {String, `a"b`}, "t": {Bool, "true"}, "o": {JSON, `{"z":[1]}`}, "e": {String, ""},
	}
	for _, test := range []struct {
		name, text, want string
	}{
		{"number for a whole string", `{"a": "#n|number#"}`, `{"a": 1.50}`},
		{"number within a string", `{"a": "#n|number# s"}`, `{"a": "1.50 s"}`},
		{"number as a name", `{"#n|number#": 1}`, `{"1.50": 1}`},
		{"number without the filter", `{"a": "#n#"}`, `{"a": "1.50"}`},
		{"object", `["#o|json#", "#o#"]`, `[{"z":[1]}, "{\"z\":[1]}"]`},
		{"string by json", `["#s|json#", "#s#"]`, `["a\"b", "a\"b"]`},
		{"bool", `["#t|bool#", "#t|json#", "#t#"]`, `[true, true, "true"]`},
		{"nothing", `["#e|number#", "#x|json#", "#x|bool#", "#x#"]`, `[null, null, null, ""]`},
		{"the whole body", `"#o|json#"`, `{"z":[1]}`},
		{"literals as written", "{\t\"\\u00e9\\/\" :\r\n [ 1.0e+2 , \"##\\n\" ] }  ", "{\t\"\\u00e9\\/\" :\r\n [ 1.0e+2 , \"#\\n\" ] }  "},
		{"escapes in an argument", `["#x|default:a\"\u00e9\\\n#"]`, `["a\"é\\\n"]`},
		{"a quote written as an escape", `["\"#s#\\"]`, `["\"a\"b\\"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := string(render(t, Spec{Body: "json", Text: test.text}, event).Body); got != test.want {
				t.Errorf("body = %s, want %s", got, test.want)
			}
		})
	}
}

func TestJSONProblems(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
	}{
		{"empty", "", "1:1: not JSON: it is empty"},
		{"bare tag", "{\n \"a\": #n|number#\n}", `2:7: not JSON: #n|number# stands outside quotes; "#n|json#" gives the bare value`},
		{"comma at the end", "{\"a\": 1,\n}", "2:1: not JSON: "},
		{"unclosed", `{"a": [1`, "1:9: not JSON: "},
		{"two values", `{} {}`, "1:3: not JSON: text after the value"},
		{"name twice", `{"a": 1, "a": 2}`, "not JSON: duplicate object member name"},
		{"line break in a string", "[\"a\n\"]", "not JSON: invalid character"},
		{"filter within", "{\n  \"a\": \"\\n#n|nmber#\"}", "2:14: #n|nmber#: filter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := Compile(withURL(Spec{Body: "json", Text: test.text}))
			if len(problems) != 1 || problems[0].Key != "json" || !strings.Contains(problems[0].Text, test.want) {
				t.Errorf("problems = %v, want one of json: %s", problems, test.want)
			}
		})
	}
}

func TestJSONNameTwice(t *testing.T) {
	template := compile(t, Spec{Body: "json", Text: `{"#a#": 1, "#b#": 2}`})
	_, err := template.Render(func(string) Value { return Value{String, "same"} }, time.Time{})
	if err == nil || !strings.Contains(err.Error(), "a tag made a name come twice") {
		t.Errorf("error = %v, want that a name came twice", err)
	}
}

func TestScriptData(t *testing.T) {
	script := Value{JSON, `{"q1":"yes & \"no\"","n":1.50,"none":null,"o":{"b":[true]},"é\u0022":"","id":"theirs"}`}
	event := map[string]Value{"script": script, "a": {String, "q1"}}
	for _, test := range []struct {
		name string
		spec Spec
		want string
	}{
		{
			"JSON",
			Spec{Body: "json", Text: "{\"id\": \"ours\"}\n"},
			`{"id": "ours","q1":"yes & \"no\"","n":1.50,"none":null,"o":{"b":[true]},"é\"":""}` + "\n",
		},
		{
			"empty JSON object",
			Spec{Body: "json", Text: `{ }`},
			`{ "q1":"yes & \"no\"","n":1.50,"none":null,"o":{"b":[true]},"é\"":"","id":"theirs"}`,
		},
		{
			"JSON whose names are tags",
			Spec{Body: "json", Text: `{"#a#": {"id": 1}}`},
			`{"q1": {"id": 1},"n":1.50,"none":null,"o":{"b":[true]},"é\"":"","id":"theirs"}`,
		},
		{
			"form",
			Spec{Body: "params", Params: []Field{{"id", "ours"}}},
			"id=ours&q1=yes+%26+%22no%22&n=1.50&none=&o=%7B%22b%22%3A%5Btrue%5D%7D&%C3%A9%22=",
		},
		{"text has no place for it", Spec{Body: "text", Text: "t"}, "t"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.AllScriptData = true
			if got := string(render(t, test.spec, event).Body); got != test.want {
				t.Errorf("body = %s\nwant   %s", got, test.want)
			}
		})
	}
	get := Spec{Method: "GET", URL: "https://example.com/?", Body: "params", AllScriptData: true}
	if got, want := render(t, get, map[string]Value{"script": {JSON, `{"a b":"c d"}`}}).URL, "https://example.com/?a%20b=c%20d"; got != want {
		t.Errorf("URL = %s, want %s", got, want)
	}
}

func TestScriptDataAbsent(t *testing.T) {
	for _, script := range []Value{{}, {Null, "null"}, {String, "x"}, {JSON, "[1]"}, {JSON, "{}"}} {
		event := map[string]Value{"script": script}
		body := string(render(t, Spec{Body: "json", Text: `{"a": 1}`, AllScriptData: true}, event).Body)
		if body != `{"a": 1}` {
			t.Errorf("with script %v, body = %s", script, body)
		}
		get := Spec{Method: "GET", Body: "params", AllScriptData: true}
		if got := render(t, get, event).URL; got != "https://crm.example.com/calls" {
			t.Errorf("with script %v, URL = %s", script, got)
		}
	}
}

func TestScriptDataRefused(t *testing.T) {
	for _, script := range []string{`{"a":`, `{"a":1,"a":2}`, `{"a" 1}`, `{`} {
		for _, spec := range []Spec{{Body: "json", Text: "{}"}, {Body: "params"}} {
			spec.AllScriptData = true
			_, err := compile(t, spec).Render(lookup(map[string]Value{"script": {JSON, script}}), time.Time{})
			if err == nil || !strings.Contains(err.Error(), "render all_script_data: #script#: not a JSON object") {
				t.Errorf("script %s: error = %v", script, err)
			}
		}
	}
	_, problems := Compile(withURL(Spec{Body: "json", Text: "[]", AllScriptData: true}))
	if len(problems) != 1 || !strings.Contains(problems[0].Text, "needs a JSON object") {
		t.Errorf("problems = %v, want that an object is needed", problems)
	}
}
