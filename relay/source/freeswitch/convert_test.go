package freeswitch

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/relay/call"
)

// The documents in testdata are written after switch_ivr_generate_json_cdr,
// shortened by what is not read here.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name+".cdr.json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

var converter = Converter{Recordings: "/var/lib/freeswitch/recordings"}

func convert(t testing.TB, body []byte) string {
	t.Helper()
	events, err := converter.Convert(body)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, event := range events {
		if _, err := call.Decode(event, call.Options{}); err != nil {
			t.Errorf("the relay refuses %s: %v", event, err)
		}
		got.Write(event)
		got.WriteByte('\n')
	}
	return got.String()
}

func TestConvert(t *testing.T) {
	for _, name := range []string{"member", "agent", "agent-transfer", "abandon", "user", "user-unanswered", "trunk"} {
		t.Run(name, func(t *testing.T) {
			got := convert(t, sample(t, name))
			file := filepath.Join("testdata", name+".golden")
			if os.Getenv("UPDATE_GOLDEN") == "1" {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("events:\n%swant:\n%s", got, want)
			}
		})
	}
}

// encoded is what encode-values makes of a document.
func encoded(t testing.TB, body []byte) []byte {
	t.Helper()
	var d map[string]any
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	for name, value := range d["variables"].(map[string]any) {
		d["variables"].(map[string]any)[name] = strings.ReplaceAll(url.QueryEscape(value.(string)), "+", "%20")
	}
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestEncodings(t *testing.T) {
	plain := sample(t, "agent")
	want := convert(t, plain)
	escaped := strings.ReplaceAll(url.QueryEscape(string(plain)), "+", "%20")
	for _, test := range []struct {
		name string
		body []byte
	}{
		{"values encoded", encoded(t, plain)},
		{"a form field", []byte("cdr=" + escaped)},
		{"a form field in base64", []byte("cdr=" + base64.StdEncoding.EncodeToString(plain))},
		{"a spooled file", append([]byte(escaped), '\n')},
		{"a spooled file in base64", append([]byte(base64.StdEncoding.EncodeToString(plain)), '\n')},
	} {
		if got := convert(t, test.body); got != want {
			t.Errorf("%s: events:\n%swant:\n%s", test.name, got, want)
		}
	}
}

func TestHandler(t *testing.T) {
	refusal := error(nil)
	accept := func(_ context.Context, event []byte) ([]string, error) {
		if refusal != nil {
			return nil, refusal
		}
		decoded, err := call.Decode(event, call.Options{})
		if err != nil {
			return nil, err
		}
		return []string{decoded[0].ID}, nil
	}
	h := Handler(converter, accept)
	for _, test := range []struct {
		name    string
		body    []byte
		refusal error
		status  int
		want    string
	}{
		{"an agent's leg", sample(t, "agent"), nil, http.StatusAccepted, `{"accepted":1,"ids":["fs1/m-1/a-1/agent_termination"]}`},
		{"a leg that is nobody's", sample(t, "trunk"), nil, http.StatusAccepted, `{"accepted":0,"ids":[]}`},
		{"no document", []byte("hello"), nil, http.StatusBadRequest, `{"error":"decode document: neither JSON nor its URL or base64 encoding"}`},
		{"a document of nothing", []byte("{}"), nil, http.StatusBadRequest, `{"error":"read document: no uuid"}`},
		{"a full queue", sample(t, "agent"), errors.New("queue full"), http.StatusServiceUnavailable, `{"error":"queue full"}`},
		{"an event refused for good", sample(t, "agent"), &call.Error{Problem: "too large"}, http.StatusBadRequest, `{"error":"too large"}`},
		{"a document without end", bytes.Repeat([]byte("x"), MaxDocument+1), nil, http.StatusRequestEntityTooLarge, `{"error":"http: request body too large"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			refusal = test.refusal
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/freeswitch/cdr?uuid=a-1", bytes.NewReader(test.body)))
			if got := strings.TrimSpace(w.Body.String()); w.Code != test.status || got != test.want {
				t.Errorf("answer %d %s, want %d %s", w.Code, got, test.status, test.want)
			}
		})
	}
}

func FuzzConvert(f *testing.F) {
	for _, name := range []string{"member", "agent", "user"} {
		f.Add(sample(f, name))
	}
	f.Add([]byte("cdr=%7B%22variables%22%3A%7B%22uuid%22%3A%22x%22%7D%7D"))
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := converter.Convert(body)
		if err != nil {
			return
		}
		for _, event := range events {
			if !json.Valid(event) {
				t.Errorf("not JSON: %s", event)
			}
		}
	})
}
