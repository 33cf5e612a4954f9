package render

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

// torture is what values may look like at their worst. Each must arrive as the
// same text, or be refused where the format has no way to carry it.
var torture = []string{
	"",
	"O\"Neil & <Sons>\n",
	`back\slash\`, `\u0041`, `\`, `"`, `'`, `","admin":"true`,
	"line\nline\r\nline\rline\ttab",
	"]]>", "]]", "]", ">", "]]]]>>", "<![CDATA[x]]>", "<!--", "--><x/>", "<?x?>",
	"&amp;", "&#0;", "&", "<a b='c'>", `" onload="x`, "' or '1'='1",
	"%", "%00", "%2e%2e", "100%", "a+b c", "a=b&c=d;e", "?x=1#f", "a/b\\c", "//", "/",
	"../", "../../etc/passwd", "..;", "...",
	"#ani#", "#ani|upper#", "##", "#",
	"\U0001F600 emoji", "\u2028\u2029", "\u0085", "\ufeffbom", "\ufffd", "e\u0301", "\u202Ertl", "日本",
	"\x00", "\x01\x1f", "\x7f", "\x1b[31m", "\uFFFE", "\uFFFF", "\U0010FFFF",
	strings.Repeat("x", 5000) + `"`,
	"${jndi:ldap://x}", "{{x}}", "$(id)", "`id`", "; drop table calls", "\r\nX-Injected: 1", "null", "true", "1e999",
}

// carriers are the places a value can stand in, with a reader of what arrived.
var carriers = []struct {
	name string
	spec Spec
	read func(t *testing.T, r Request) string
	// refused tells whether the place may refuse the value.
	refused func(s string) bool
}{
	{
		name: "JSON string",
		spec: Spec{Body: "json", Text: `{"a": "<#x#>", "b": ["#x#"], "#x# key": null}`},
		read: func(t *testing.T, r Request) string {
			var got struct{ A string }
			var b map[string]any
			decode(t, json.Unmarshal(r.Body, &got))
			decode(t, json.Unmarshal(r.Body, &b))
			value := strings.TrimSuffix(strings.TrimPrefix(got.A, "<"), ">")
			if _, ok := b[value+" key"]; !ok || len(b) != 3 || b["b"].([]any)[0] != value {
				t.Errorf("the object became %v", b)
			}
			return value
		},
	},
	{
		name: "JSON by the filter json",
		spec: Spec{Body: "json", Text: `{"a": "#x|json#"}`},
		read: func(t *testing.T, r Request) string {
			var got map[string]*string
			decode(t, json.Unmarshal(r.Body, &got))
			if len(got) != 1 || got["a"] == nil {
				return "" // null: nothing came
			}
			return *got["a"]
		},
	},
	{
		name: "form",
		spec: Spec{Body: "params", Params: []Field{{"a b", "=#x#"}, {"c", "1"}}},
		read: func(t *testing.T, r Request) string { return formValue(t, string(r.Body)) },
	},
	{
		name: "query of a GET",
		spec: Spec{Method: "GET", URL: "https://example.com/p?z=1", Body: "params", Params: []Field{{"a b", "=#x#"}, {"c", "1"}}},
		read: func(t *testing.T, r Request) string { return formValue(t, parsed(t, r).RawQuery) },
	},
	{
		name: "query as written",
		spec: Spec{URL: "https://example.com/p?a%20b=%3D#x#&c=1"},
		read: func(t *testing.T, r Request) string { return formValue(t, parsed(t, r).RawQuery) },
	},
	{
		name: "path",
		spec: Spec{URL: "https://example.com/p/#x#/q?c=1"},
		read: func(t *testing.T, r Request) string {
			u := parsed(t, r)
			segments := strings.Split(u.EscapedPath(), "/")
			if len(segments) != 4 || segments[3] != "q" || u.RawQuery != "c=1" {
				t.Fatalf("the URL became %s", r.URL)
			}
			value, err := url.PathUnescape(segments[2])
			decode(t, err)
			return value
		},
		refused: func(s string) bool { return s == "." || s == ".." },
	},
	{
		name:    "XML text",
		spec:    Spec{Body: "xml", Text: `<r><a>#x#</a><c/></r>`},
		read:    func(t *testing.T, r Request) string { return xmlValue(t, r.Body).A },
		refused: notXML,
	},
	{
		name:    "XML attribute",
		spec:    Spec{Body: "xml", Text: `<r b="#x#"><a/><c/></r>`},
		read:    func(t *testing.T, r Request) string { return xmlValue(t, r.Body).B },
		refused: notXML,
	},
	{
		name:    "XML attribute in single quotes",
		spec:    Spec{Body: "xml", Text: `<r b = '#x#'><a/><c/></r>`},
		read:    func(t *testing.T, r Request) string { return xmlValue(t, r.Body).B },
		refused: notXML,
	},
	{
		name:    "CDATA section",
		spec:    Spec{Body: "xml", Text: `<r><a><![CDATA[#x#]]></a><c/></r>`},
		read:    func(t *testing.T, r Request) string { return xmlValue(t, r.Body).A },
		refused: notXML,
	},
	{
		name: "CDATA section with brackets around",
		spec: Spec{Body: "xml", Text: `<r><a><![CDATA[]]#x#]>]]></a><c/></r>`},
		read: func(t *testing.T, r Request) string {
			value := xmlValue(t, r.Body).A
			return strings.TrimSuffix(strings.TrimPrefix(value, "]]"), "]>")
		},
		refused: notXML,
	},
	{
		name: "SOAP parameter",
		spec: Spec{SOAP: &SOAP{Operation: "r", Namespace: "urn:x", Params: []Field{{"a", "#x#"}, {"c", ""}}}},
		read: func(t *testing.T, r Request) string {
			var got struct {
				R xmlShape `xml:"Body>r"`
			}
			decode(t, xml.Unmarshal(r.Body, &got))
			return got.R.check(t)
		},
		refused: notXML,
	},
	{
		name: "SOAP action",
		spec: Spec{SOAP: &SOAP{Operation: "r", Action: "urn:x/#x#"}},
		read: func(t *testing.T, r Request) string {
			value, err := url.PathUnescape(strings.TrimPrefix(strings.Trim(r.SOAPAction, `"`), "urn:x/"))
			decode(t, err)
			return value
		},
	},
	{
		name: "header",
		spec: Spec{Headers: []Field{{"X-A", "<#x#>"}}},
		read: func(_ *testing.T, r Request) string {
			return strings.TrimSuffix(strings.TrimPrefix(r.Header[0].Value, "<"), ">")
		},
		refused: func(s string) bool {
			return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
		},
	},
	{
		name: "text",
		spec: Spec{Body: "text", Text: "<#x#>"},
		read: func(_ *testing.T, r Request) string {
			return strings.TrimSuffix(strings.TrimPrefix(string(r.Body), "<"), ">")
		},
	},
}

// decode fails the test when what was sent cannot be read.
func decode(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("not readable: %v", err)
	}
}

func parsed(t *testing.T, r Request) *url.URL {
	t.Helper()
	u, err := url.Parse(r.URL)
	decode(t, err)
	if u.Host != "example.com" || u.User != nil || u.Fragment != "" {
		t.Fatalf("the URL became %s", r.URL)
	}
	return u
}

func formValue(t *testing.T, form string) string {
	t.Helper()
	values, err := url.ParseQuery(form)
	decode(t, err)
	values.Del("z")
	if len(values) != 2 || len(values["a b"]) != 1 || values.Get("c") != "1" {
		t.Fatalf("the form became %v", values)
	}
	return strings.TrimPrefix(values.Get("a b"), "=")
}

// xmlShape is an element with what may stand in it, and what else came.
type xmlShape struct {
	B      string     `xml:"b,attr"`
	Attrs  []xml.Attr `xml:",any,attr"`
	A      string     `xml:"a"`
	C      []string   `xml:"c"`
	Others []struct {
		XMLName xml.Name
	} `xml:",any"`
}

func (s xmlShape) check(t *testing.T) string {
	t.Helper()
	if len(s.C) != 1 || s.C[0] != "" || len(s.Others) > 0 || len(s.Attrs) > 1 {
		t.Fatalf("the element became %+v", s)
	}
	return s.A
}

func xmlValue(t *testing.T, body []byte) xmlShape {
	t.Helper()
	var got xmlShape
	decode(t, xml.Unmarshal(body, &got))
	got.check(t)
	return got
}

// notXML tells whether s holds what XML 1.0 has no way to write.
func notXML(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

func TestTorture(t *testing.T) {
	for _, place := range carriers {
		t.Run(place.name, func(t *testing.T) {
			template := compile(t, withURL(place.spec))
			for _, value := range torture {
				checkCarried(t, template, place.read, place.refused, value)
			}
		})
	}
}

func withURL(s Spec) Spec {
	if s.URL == "" {
		s.URL = "https://example.com/p"
	}
	return s
}

// checkCarried renders with x set to value, and wants it to arrive or to be refused by rule.
func checkCarried(t *testing.T, template *Template, read func(*testing.T, Request) string, refused func(string) bool, value string) {
	t.Helper()
	event := map[string]Value{"x": {String, value}, "ani": {String, "EXPANDED"}}
	req, err := template.Render(lookup(event), time.Time{})
	if refused != nil && refused(value) {
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%q: error = %v, want an *Error", value, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%q: %v", value, err)
		return
	}
	if got := read(t, req); got != value {
		t.Errorf("%q arrived as %q in %+v %s", value, got, req, req.Body)
	}
}

func FuzzCarried(f *testing.F) {
	for _, value := range torture {
		f.Add(value)
	}
	templates := make([]*Template, len(carriers))
	for i, place := range carriers {
		templates[i] = compile(f, withURL(place.spec))
	}
	f.Fuzz(func(t *testing.T, value string) {
		value = strings.ToValidUTF8(value, "") // nothing else comes in
		for i, place := range carriers {
			checkCarried(t, templates[i], place.read, place.refused, value)
		}
	})
}
