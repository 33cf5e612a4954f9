package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzCompile compiles any template in any place and renders it with any value:
// nothing panics, and what is sent has the shape it has for a harmless value.
func FuzzCompile(f *testing.F) {
	for _, seed := range []struct{ template, value string }{
		{`{"a": "#x#", "#y#": ["#x|number#", "#x|json#", {"b": "##"}]}`, `"}`},
		{`<a b="#x#" c='#y|upper#'><![CDATA[#x#]]]>#y#<b/><!-- c --></a>`, "]]>"},
		{`<?xml version="1.0"?><p:a xmlns:p="urn:x" p:b="#x|default:&quot;#"/>`, "'"},
		{"https://example.com/a/#x#/b?c=#y#&d", "../?"},
		{"https://h/%2e#x#", "."},
		{"#x|time:rfc3339|zone:UTC# ## #", "2020-04-22 00:00:00"},
		{`"#x|number|default:0#"`, ""},
		{"x#x|last:2|sha256#", "\r\n"},
		{"{}", "{}"},
	} {
		f.Add(seed.template, seed.value)
	}
	f.Fuzz(func(t *testing.T, template, value string) {
		value = strings.ToValidUTF8(value, "")
		for _, spec := range []Spec{
			{URL: template},
			{Body: "json", Text: template},
			{Body: "json", Text: template, AllScriptData: true},
			{Body: "xml", Text: template},
			{Body: "params", Params: []Field{{"a", template}, {"b", "1"}}},
			{Headers: []Field{{"A", template}}},
			{SOAP: &SOAP{Operation: "o", Namespace: template, Action: template, Header: template, Params: []Field{{"p", template}}}},
		} {
			compiled, problems := Compile(withURL(spec))
			if len(problems) > 0 {
				continue
			}
			want, ok := shapeWith(t, compiled, "1")
			got, fine := shapeWith(t, compiled, value)
			if ok && fine && !slices.Equal(got, want) {
				t.Errorf("template %q with %q has the shape %q, want %q", template, value, got, want)
			}
		}
	})
}

// shapeWith renders with every tag set to value and gives the shape of what is
// sent; false when the value was refused.
func shapeWith(t *testing.T, template *Template, value string) ([]string, bool) {
	t.Helper()
	req, err := template.Render(func(tag string) Value {
		if tag == scriptTag {
			return Value{JSON, `{"script":"` + string(appendString(nil, value)) + `"}`}
		}
		return Value{String, value}
	}, time.Time{})
	if err != nil {
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Fatalf("error %v is not an *Error", err)
		}
		return nil, false
	}
	u, err := url.Parse(req.URL)
	decode(t, err)
	shape := []string{u.Scheme, u.Host, u.User.String(), u.Fragment}
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		shape = append(shape, "/"+map[bool]string{true: segment}[segment == ".."])
	}
	shape = append(shape, strings.Repeat("&", strings.Count(u.RawQuery, "&")))
	for _, h := range req.Header {
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			t.Errorf("header %q", h.Value)
		}
	}
	switch {
	case strings.Contains(req.ContentType, "json"):
		return append(shape, jsonShape(t, req.Body)...), true
	case strings.Contains(req.ContentType, "xml"):
		return append(shape, xmlShapeOf(t, req.Body)...), true
	default:
		return append(shape, strings.Repeat("&", bytes.Count(req.Body, []byte("&")))), true
	}
}

// jsonShape lists the tokens of a JSON text, all scalars and names being alike.
func jsonShape(t *testing.T, body []byte) []string {
	t.Helper()
	var shape []string
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return shape
		}
		decode(t, err)
		switch kind := token.Kind(); kind {
		case '{', '}', '[', ']':
			shape = append(shape, kind.String())
		default:
			shape = append(shape, "scalar")
		}
	}
}

// xmlShapeOf lists the elements and attributes of an XML document, and the
// values of namespace declarations.
func xmlShapeOf(t *testing.T, body []byte) []string {
	t.Helper()
	var shape []string
	d := xml.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return shape
		}
		decode(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			shape = append(shape, "<"+token.Name.Space+" "+token.Name.Local)
			for _, a := range token.Attr {
				shape = append(shape, "@"+a.Name.Space+" "+a.Name.Local)
			}
		case xml.EndElement:
			shape = append(shape, ">")
		case xml.ProcInst, xml.Comment, xml.Directive:
			shape = append(shape, "other")
		}
	}
}
