package render

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strings"
	"testing"
)

// A document within another text stays one, whatever the value, where a filter
// escapes for it.
func TestFiltersKeepAnInnerDocumentWhole(t *testing.T) {
	fromJSON := func(text string) string {
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil || len(doc) != 1 {
			return "broken: " + text
		}
		got, _ := doc["agent"].(string)
		return got
	}
	fromXML := func(text string) string {
		var doc struct {
			XMLName xml.Name
			Agent   []string `xml:"agent"`
			Admin   []string `xml:"admin"`
			ID      string   `xml:"id,attr"`
		}
		if err := xml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Agent) != 1 || len(doc.Admin) > 0 {
			return "broken: " + text
		}
		return doc.Agent[0]
	}
	for _, test := range []struct {
		name string
		spec Spec
		read func(Request) string
	}{
		{"JSON in a form", Spec{Body: "params", Params: []Field{{"payload", `{"agent":#a|json#}`}}}, func(r Request) string {
			form, _ := url.ParseQuery(string(r.Body))
			return fromJSON(form.Get("payload"))
		}},
		{"JSON in a form, between quotes", Spec{Body: "params", Params: []Field{{"payload", `{"agent":"#a|json#"}`}}}, func(r Request) string {
			form, _ := url.ParseQuery(string(r.Body))
			return fromJSON(form.Get("payload"))
		}},
		{"JSON in JSON", Spec{Body: "json", Text: `{"Message":"{\"agent\":#a|json#}"}`}, func(r Request) string {
			var outer map[string]string
			_ = json.Unmarshal(r.Body, &outer)
			return fromJSON(outer["Message"])
		}},
		{"JSON in JSON, between quotes", Spec{Body: "json", Text: `{"Message":"{\"agent\":\"#a|json#\"}"}`}, func(r Request) string {
			var outer map[string]string
			_ = json.Unmarshal(r.Body, &outer)
			return fromJSON(outer["Message"])
		}},
		{"JSON as text", Spec{Body: "text", Text: `{"agent":"#a|json#"}`}, func(r Request) string { return fromJSON(string(r.Body)) }},
		{"JSON in a query", Spec{Query: []Field{{"data", `{"agent":"#a|json#"}`}}}, func(r Request) string {
			u, _ := url.Parse(r.URL)
			return fromJSON(u.Query().Get("data"))
		}},
		{"JSON in a header", Spec{Headers: []Field{{"X-Meta", `{"agent":"#a|json#"}`}}}, func(r Request) string { return fromJSON(r.Header[0].Value) }},
		{"JSON in CDATA", Spec{Body: "xml", Text: `<r><![CDATA[{"agent":"#a|json#"}]]></r>`}, func(r Request) string {
			var text string
			_ = xml.Unmarshal(r.Body, &text)
			return fromJSON(text)
		}},
		{"XML in JSON", Spec{Body: "json", Text: `{"xml":"<call><agent>#a|xml#</agent></call>"}`}, func(r Request) string {
			var outer map[string]string
			_ = json.Unmarshal(r.Body, &outer)
			return fromXML(outer["xml"])
		}},
		{"XML in an attribute in JSON", Spec{Body: "json", Text: `{"xml":"<call id='#a|xml#'><agent>#a|xml#</agent></call>"}`}, func(r Request) string {
			var outer map[string]string
			_ = json.Unmarshal(r.Body, &outer)
			return fromXML(outer["xml"])
		}},
		{"XML in CDATA", Spec{Body: "xml", Text: `<r><![CDATA[<call><agent>#a|xml#</agent></call>]]></r>`}, func(r Request) string {
			var text string
			_ = xml.Unmarshal(r.Body, &text)
			return fromXML(text)
		}},
		{"XML in a SOAP parameter", Spec{SOAP: &SOAP{Operation: "R", Params: []Field{{"doc", "<call><agent>#a|xml#</agent></call>"}}}}, func(r Request) string {
			_, text, _ := strings.Cut(string(r.Body), "<doc>")
			text, _, _ = strings.Cut(text, "</doc>")
			var inner string
			_ = xml.Unmarshal([]byte("<x>"+text+"</x>"), &inner)
			return fromXML(inner)
		}},
		{"a URL in a form", Spec{Body: "params", Params: []Field{{"next", "https://x/?agent=#a|url#&b=1"}}}, func(r Request) string {
			form, _ := url.ParseQuery(string(r.Body))
			u, _ := url.Parse(form.Get("next"))
			return u.Query().Get("agent")
		}},
		{"Base64 in JSON", Spec{Body: "json", Text: `{"a":"x:#a|base64#"}`}, func(r Request) string {
			var outer map[string]string
			_ = json.Unmarshal(r.Body, &outer)
			text, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(outer["a"], "x:"))
			return string(text)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, value := range []string{"ann", `x","admin":"1`, `x</agent><admin>1</admin><agent>`, `\`, `"`, "a&b=c#d", "'", "]]>", "", "\u00fc \u4e2d"} {
				if got := test.read(render(t, test.spec, map[string]Value{"a": {String, value}})); got != value {
					t.Errorf("%q came as %q", value, got)
				}
			}
			if warnings := compile(t, withURL(test.spec)).Warnings(); len(warnings) > 0 {
				t.Errorf("warned of: %v", warnings)
			}
		})
	}
}

func TestTagsInAnInnerDocumentAreWarnedOf(t *testing.T) {
	for _, test := range []struct {
		spec Spec
		want string // a part; empty: no warning
	}{
		{Spec{Body: "params", Params: []Field{{"payload", `{"agent":"#a#"}`}}}, `params.payload: 1:11: #a# stands in what looks like JSON within another text, which a value may break: #a|json# keeps it whole`},
		{Spec{Body: "json", Text: `{"m":"{\"agent\":\"#a#\"}"}`}, "looks like JSON"},
		{Spec{Body: "json", Text: `{"m":"<call><agent>#a#</agent></call>"}`}, "#a|xml#"},
		{Spec{Body: "xml", Text: `<r><![CDATA[<agent>#a#</agent>]]></r>`}, "looks like XML"},
		{Spec{Body: "xml", Text: `<r>&lt;agent&gt;#a#&lt;/agent&gt;</r>`}, "looks like XML"},
		{Spec{Body: "text", Text: `{"agent":"#a#"}`}, "looks like JSON"},
		{Spec{Query: []Field{{"data", `["#a#"]`}}}, "looks like JSON"},
		{Spec{Headers: []Field{{"X-Meta", `{"agent":"#a#"}`}}}, "headers.X-Meta"},
		{Spec{SOAP: &SOAP{Operation: "R", Params: []Field{{"doc", "<call><agent>#a#</agent></call>"}}}}, "soap.params.doc"},
		{Spec{Body: "json", Text: `{"m":"#a#: #b#, <#c#> {#d#}", "n":["#a#"]}`}, ""},
		{Spec{Body: "text", Text: `#a|upper#: #b# <#c#>`}, ""},
		{Spec{Body: "xml", Text: `<r a="#a#"><b>#b#: "#c#"</b></r>`}, ""},
		{Spec{Body: "params", Params: []Field{{"a", "#a#"}, {"b", "Ann: #b#"}}}, ""},
	} {
		var texts []string
		for _, w := range compile(t, withURL(test.spec)).Warnings() {
			texts = append(texts, w.String())
		}
		if got := strings.Join(texts, "\n"); !strings.Contains(got, test.want) || (test.want == "") != (got == "") {
			t.Errorf("%+v: warned %q, want %q", test.spec, got, test.want)
		}
	}
}

func TestWhatIsAbsentCanBeLeftOut(t *testing.T) {
	for _, test := range []struct {
		name string
		spec Spec
		want string // with a = 1, and b and c absent
	}{
		{"a member", Spec{Body: "json", Text: `{"a":"#a|omit#", "b": "#b|omit#", "d":2}`}, `{"a":"1", "d":2}`},
		{"the first member", Spec{Body: "json", Text: `{ "b" : "#b|omit#" , "d":2}`}, `{  "d":2}`},
		{"the last member", Spec{Body: "json", Text: `{"d":2,"b":"#b|omit#"}`}, `{"d":2}`},
		{"the only member", Spec{Body: "json", Text: `{"x":{"b":"#b|omit#"},"y":"}{,\""}`}, `{"x":{},"y":"}{,\""}`},
		{"all members", Spec{Body: "json", Text: `{"b":"#b|omit#","c":"#c|omit#"}`}, `{}`},
		{"elements", Spec{Body: "json", Text: `["#b|omit#", "#a#", "#c|omit#", 3, "#b|omit#"]`}, `[ "1", 3]`},
		{"a number", Spec{Body: "json", Text: `{"b":"#b|number|omit#","a":"#a|omit|number#"}`}, `{"a":1}`},
		{"what is always there", Spec{Body: "json", Text: `{"t":"#now|omit|time:unix#"}`}, `{"t":"1587513789"}`},
		{"a default", Spec{Body: "json", Text: `{"b":"#b|default:x|omit#"}`}, `{"b":"x"}`},
		{"beside script data", Spec{Body: "json", Text: `{"b":"#b|omit#"}`, AllScriptData: true}, `{"s":1}`},
		{"what a script has, too", Spec{Body: "json", Text: `{"s":"#b|omit#","a":"#a#"}`, AllScriptData: true}, `{"a":"1","s":1}`},
		{"form values", Spec{Body: "params", Params: []Field{{"b", "#b|omit#"}, {"a", "#a|omit#"}, {"c", "#c|omit#"}, {"d", "2"}}}, "a=1&d=2"},
		{"elements of XML", Spec{Body: "xml", Text: `<r><a>#a|omit#</a><b x="1">#b|omit#</b ><c/><d>2</d></r>`}, `<r><a>1</a><c/><d>2</d></r>`},
		{"a value with markup in it", Spec{Body: "xml", Text: `<r><a>#x|omit#</a><b>#b|omit#</b></r>`}, `<r><a>&lt;b&gt;</a></r>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := string(render(t, test.spec, map[string]Value{"a": {String, "1"}, "b": {Kind: Null}, "x": {String, "<b>"}, "script": {JSON, `{"s":1}`}}).Body)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	req := render(t, Spec{
		Headers: []Field{{"X-B", "#b|omit#"}, {"X-A", "#a|omit#"}}, Query: []Field{{"b", "#b|omit#"}, {"a", "#a|omit#"}}, Reject: true,
		SOAP: &SOAP{Operation: "R", Params: []Field{{"B", "#b|omit#"}, {"A", "#a|omit#"}}},
	}, map[string]Value{"a": {String, "1"}})
	if len(req.Header) != 1 || req.Header[0].Name != "X-A" || !strings.HasSuffix(req.URL, "?a=1") || !strings.Contains(string(req.Body), "<R><A>1</A></R>") {
		t.Errorf("header %v, URL %s, body %s", req.Header, req.URL, req.Body)
	}
	for _, spec := range []Spec{
		{Body: "json", Text: `{"a":"x#b|omit#"}`},
		{Body: "json", Text: `{"#b|omit#":1}`},
		{Body: "json", Text: ` "#b|omit#" `},
		{Body: "text", Text: "#b|omit#"},
		{Body: "xml", Text: "<a>#b|omit#</a>"},
		{Body: "xml", Text: `<a><b x="#b|omit#"/></a>`},
		{Body: "xml", Text: `<a><c/>#b|omit#</a>`},
		{Body: "params", Params: []Field{{"a", "#a# #b|omit#"}}},
		{URL: "https://x/#b|omit#"},
		{ContentType: "#b|omit#"},
	} {
		if _, problems := Compile(withURL(spec)); len(problems) == 0 || !strings.Contains(problems[0].Text, "omit: the tag must be all of") {
			t.Errorf("%+v: problems %v", spec, problems)
		}
	}
}

func TestMapReplacesWholeValues(t *testing.T) {
	for _, test := range []struct{ filter, value, want string }{
		{"map:a=b,c=d,*=e", "a", "b"},
		{"map:a=b,c=d,*=e", "c", "d"},
		{"map:a=b,c=d,*=e", "x", "e"},
		{"map:a=b", "x", "x"},
		{"map:a=,b=x=y", "b", "x=y"},
		{"map:a=,b=1", "a", ""},
		{"map:=none", "", "none"},
		{"map:a=b", "aa", "aa"},
		{"map:https://x=1", "https://x", "1"},
	} {
		if got := string(render(t, Spec{Body: "text", Text: "#v|" + test.filter + "#"}, map[string]Value{"v": {String, test.value}}).Body); got != test.want {
			t.Errorf("%s of %q = %q, want %q", test.filter, test.value, got, test.want)
		}
	}
	for _, arg := range []string{"", "a", "a=b,c", "a=b,a=c"} {
		if _, problems := Compile(withURL(Spec{Body: "text", Text: "#v|map:" + arg + "#"})); len(problems) != 1 {
			t.Errorf("map:%s is taken", arg)
		}
	}
}

// A receiver with a scheme of its own recomputes the HMAC of what it reads.
func TestTheBodyIsSigned(t *testing.T) {
	spec := Spec{
		Secrets: map[string]string{"hub": "It's a Secret to Everybody"}, Body: "json", Text: `{"a":"#a#"}`, Query: []Field{{"s", "#body|hmac:hub:base64#"}},
		Headers: []Field{{"X-Hub-Signature-256", "sha256=#body|hmac:hub#"}, {"X-Token", "#a|hmac:hub|upper#"}, {"X-Upper", "#body|upper|hmac:hub#"}},
	}
	req := render(t, spec, map[string]Value{"a": {String, `"ü`}, "body": {String, "the event's own"}})
	sum := func(text string) []byte {
		mac := hmac.New(sha256.New, []byte("It's a Secret to Everybody"))
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	if got, want := req.Header[0].Value, "sha256="+hex.EncodeToString(sum(string(req.Body))); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if got, want := req.Header[1].Value, strings.ToUpper(hex.EncodeToString(sum(`"ü`))); got != want {
		t.Errorf("of a value %s, want %s", got, want)
	}
	if got, want := req.Header[2].Value, hex.EncodeToString(sum(strings.ToUpper(string(req.Body)))); got != want {
		t.Errorf("behind another filter %s, want %s", got, want)
	}
	if u, _ := url.Parse(req.URL); u.Query().Get("s") != base64.StdEncoding.EncodeToString(sum(string(req.Body))) {
		t.Errorf("URL %s", req.URL)
	}
	hello := render(t, Spec{Secrets: map[string]string{"hub": "It's a Secret to Everybody"}, Body: "text", Text: "Hello, World!", Headers: []Field{{"X", "#body|hmac:hub#"}}}, nil)
	if hello.Header[0].Value != "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17" { // GitHub's example
		t.Errorf("GitHub's example = %s", hello.Header[0].Value)
	}
	for text, want := range map[string]string{"#body|hmac:other#": "is not in [service.secrets]", "#body|hmac:hub:md5#": "is no form"} {
		spec.Headers = []Field{{"X", text}}
		if _, problems := Compile(withURL(spec)); len(problems) != 1 || !strings.Contains(problems[0].Text, want) {
			t.Errorf("%s: %v", text, problems)
		}
	}
	spec.Headers, spec.Text = nil, `{"a":"#body|hmac:hub#"}`
	if _, problems := Compile(withURL(spec)); len(problems) != 1 || !strings.Contains(problems[0].Text, "signature of itself") {
		t.Errorf("in the body: %v", problems)
	}
}
