package render

import (
	"bytes"
	"errors"
	"io"
	"mime"
	mimeparts "mime/multipart"
	"slices"
	"strings"
	"testing"
	"time"
)

// carrying are the tags of a template that carries files.
func carrying(s Spec) Spec {
	s.Method, s.URL = "POST", "http://h/"
	s.Files, s.Encoded = []string{"recording_file", "agent_file"}, []string{"recording_base64"}
	return s
}

// filled is a request's body with files in it.
func filled(r Request, content string) []byte {
	var b bytes.Buffer
	at := 0
	for _, f := range r.Files {
		b.Write(r.Body[at:f.At])
		b.WriteString(content)
		at = f.At
	}
	b.Write(r.Body[at:])
	return b.Bytes()
}

func TestMultipartIsReadAsItIsMeant(t *testing.T) {
	const hostile = "\"; filename=\"x\"\r\n\r\n--relay\r\nContent-Disposition: form-data; name=\"evil\"\r\n\r\n1\r\n--relay--\r\nO\"Neil & <Sons>\n\\"
	fields := []Field{{"call", "#uii#"}, {"audio", "#recording_file#"}, {"none", "#agent_file#"}, {"left", "#gone|omit#"}, {"a\"b\r\nX: y", "text ##1 #uii|upper#"}}
	for _, name := range []string{"1.wav", hostile, "Jürgen \\", "\xff.wav"} {
		template, problems := Compile(carrying(Spec{Body: "multipart", Params: fields, AllScriptData: true}))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		values := func(tag string) Value {
			switch tag {
			case "uii":
				return Value{String, hostile}
			case "recording_file":
				return Value{String, name}
			case "recording_file.type":
				return Value{String, "audio/wav"}
			case "script":
				return Value{JSON, `{"consent":"yes","call":"taken"}`}
			}
			return Value{}
		}
		r, err := template.Render(values, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		kind, params, err := mime.ParseMediaType(r.ContentType)
		if err != nil || kind != "multipart/form-data" {
			t.Fatalf("content type %q, %v", r.ContentType, err)
		}
		var got []string
		parts := mimeparts.NewReader(bytes.NewReader(filled(r, "RIFF\r\n--x")), params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %q", err, r.Body)
			}
			body, _ := io.ReadAll(p)
			_, disposition, err := mime.ParseMediaType(p.Header.Get("Content-Disposition"))
			if err != nil || len(p.Header) != 1+len(disposition["filename"])/max(len(disposition["filename"]), 1) {
				t.Errorf("headers %q, %v", p.Header, err)
			}
			got = append(got, strings.Join([]string{disposition["name"], disposition["filename"], p.Header.Get("Content-Type"), string(body)}, "|"))
		}
		want := []string{
			"call|||" + hostile, "audio|" + escapeName(name) + "|audio/wav|RIFF\r\n--x",
			"a%22b%0D%0AX: y|||text #1 " + strings.ToUpper(hostile), "consent|||yes",
		}
		if !slices.Equal(got, want) {
			t.Errorf("parts\n%q, want\n%q", got, want)
		}
		again, _ := template.Render(values, time.Now())
		if again.ContentType == r.ContentType {
			t.Error("two bodies have the same boundary")
		}
	}
}

func TestABodyIsAFile(t *testing.T) {
	file := map[string]Value{"recording_file": {String, "1.mp3"}, "recording_file.type": {String, "audio/mpeg"}}
	for _, test := range []struct {
		name   string
		spec   Spec
		values map[string]Value
		want   string // content type, body and files; or the error
	}{
		{"whole", Spec{Body: "file", Text: "#recording_file#"}, file, "audio/mpeg|(1)"},
		{"type given", Spec{Body: "file", Text: "#recording_file#", ContentType: "application/octet-stream"}, file, "application/octet-stream|(1)"},
		{"none", Spec{Body: "file", Text: "#recording_file#"}, nil, "render file: #recording_file#: there is no recording to send"},
		{"a part that must be there", Spec{Body: "multipart", Params: []Field{{"a", "#recording_file#"}}, Reject: true}, nil, "render multipart.a: #recording_file#: the event lacks it"},
		{"JSON", Spec{Body: "json", Text: `{"a":"#recording_base64#","b":["#recording_base64|omit#"],"c":"#recording_base64|json#"}`}, map[string]Value{"recording_base64": {String, "1.wav"}}, `application/json|{"a":"(1)","b":["(1)"],"c":"(1)"}`},
		{"JSON without", Spec{Body: "json", Text: `{"a":"#recording_base64#","b":["#recording_base64|omit#"],"c":"#recording_base64|json#"}`}, nil, `application/json|{"a":"","b":[],"c":null}`},
		{"XML", Spec{Body: "xml", Text: `<a b="1">#recording_base64#</a>`}, map[string]Value{"recording_base64": {String, "1.wav"}}, `application/xml; charset=utf-8|<a b="1">(1)</a>`},
		{"SOAP", Spec{SOAP: &SOAP{Body: "<a>#recording_base64#</a>"}}, map[string]Value{"recording_base64": {String, "1.wav"}}, "<a>(1)</a>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			template, problems := Compile(carrying(test.spec))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			r, steps, err := template.Trace(func(tag string) Value { return test.values[tag] }, time.Now())
			got := r.ContentType + "|" + string(filled(r, "(1)"))
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %s, want %s", got, test.want)
			}
			for _, s := range steps {
				if s.Value.Kind != Absent && s.Text != s.Value.Text {
					t.Errorf("step %+v", s)
				}
			}
		})
	}
}

func TestAFileStandsWhereItCan(t *testing.T) {
	const alone = "stands for a file: alone in a part of multipart, or as file"
	for name, test := range map[string]struct {
		spec Spec
		want string
	}{
		"within a part":       {Spec{Body: "multipart", Params: []Field{{"a", "x #recording_file#"}}}, "multipart.a: 1:3: #recording_file# " + alone},
		"with a filter":       {Spec{Body: "multipart", Params: []Field{{"a", "#recording_file|upper#"}}}, "multipart.a: 1:1: #recording_file|upper# " + alone},
		"in JSON":             {Spec{Body: "json", Text: `"#recording_file#"`}, "json: 1:2: #recording_file# " + alone},
		"in a header":         {Spec{Headers: []Field{{"A", "#agent_file#"}}}, "headers.A: 1:1: #agent_file# " + alone},
		"file is another tag": {Spec{Body: "file", Text: "#uii#"}, `file: "#uii#" is no file (#recording_file#, #agent_file#)`},
		"base64 in the URL":   {Spec{Query: []Field{{"A", "#recording_base64#"}}}, "query.A: 1:1: #recording_base64# stands in a body of JSON, XML or text only"},
		"base64 in a form":    {Spec{Body: "params", Params: []Field{{"A", "#recording_base64#"}}}, "params.A: 1:1: #recording_base64# stands in a body of JSON, XML or text only"},
		"base64 in a part":    {Spec{Body: "multipart", Params: []Field{{"A", "#recording_base64#"}}}, "multipart.A: 1:1: #recording_base64# stands in a body of JSON, XML or text only"},
		"base64 and a filter": {Spec{Body: "json", Text: `"#recording_base64|upper#"`}, "json: 1:20: #recording_base64|upper#: filter upper cannot go with it (omit, json, default)"},
		"signed by a tag": {
			Spec{Body: "file", Text: "#recording_file#", Headers: []Field{{"S", "#body|hmac:k#"}}, Secrets: map[string]string{"k": "x"}},
			"file: a body that carries a recording cannot be signed by a tag (use signing)",
		},
		"another type": {Spec{Body: "multipart", Params: []Field{{"a", "b"}}, ContentType: "text/plain"}, `content_type: "text/plain" cannot go with multipart (such as multipart/form-data, without a boundary)`},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Compile(carrying(test.spec))
			if len(problems) != 1 || problems[0].String() != test.want {
				t.Errorf("problems %v, want %s", problems, test.want)
			}
		})
	}
}
