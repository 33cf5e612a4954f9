package recordings

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	c := testConfig(t)
	r, text := openTest(t, c, Options{})
	put(t, r, "2020/a b.wav", testFile(t, "mono.wav"))
	put(t, r, "line\nbreak.wav", nil)
	if err := os.Symlink("/etc/passwd", filepath.Join(c.Dir, "out.wav")); err != nil {
		t.Fatal(err)
	}
	link := func(name, access string) string { return target(t, r.Link(name, access, time.Now(), -1, -1)) }
	signed := link("2020/a b.wav", AccessSigned)
	right := basic("crm", "right horse")
	for _, test := range []struct {
		name           string
		uri, method    string
		header         string
		want           int
		path, question string
	}{
		{"signed", signed, "GET", "", 204, "2020/a b.wav", ""},
		{"signed, HEAD", signed, "HEAD", "", 204, "2020/a b.wav", ""},
		{"anonymous", link("2020/a b.wav", AccessAnonymous), "GET", "", 204, "2020/a b.wav", ""},
		{"basic", "/recordings/2020/a%20b.wav", "GET", right, 204, "2020/a b.wav", ""},
		{"not there", link("never.wav", AccessSigned), "GET", "", 204, "never.wav", ""},
		{"basic without a password", "/recordings/2020/a%20b.wav", "GET", "", 401, "", "Basic"},
		{"basic with a wrong one", "/recordings/2020/a%20b.wav", "GET", basic("crm", "wrong"), 401, "", "Basic"},
		{"wrong signature", signed + "x", "GET", right, 403, "", ""},
		{"slice", target(t, r.Link("2020/a b.wav", "", time.Now(), 1, 2)), "GET", "", 403, "", ""},
		{"another method", signed, "DELETE", "", 403, "", ""},
		{"no method", signed, "", "", 403, "", ""},
		{"elsewhere", "/admin", "GET", right, 403, "", ""},
		{"above", "/recordings/../admin", "GET", right, 403, "", ""},
		{"symlink out", "/recordings/out.wav", "GET", right, 403, "", ""},
		{"a folder", "/recordings/2020", "GET", right, 403, "", ""},
		{"a name that breaks headers", "/recordings/line%0Abreak.wav", "GET", right, 403, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := httptest.NewRequest("GET", "/verify", nil)
			req.Header.Set("X-Original-URI", test.uri)
			req.Header.Set("X-Original-Method", test.method)
			req.Header.Set("X-Real-IP", "192.0.2.1")
			if name, value, ok := strings.Cut(test.header, ": "); ok {
				req.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			r.VerifyHandler().ServeHTTP(w, req)
			h := w.Result().Header
			if w.Code != test.want || h.Get("X-Recording-Path") != test.path || !strings.HasPrefix(h.Get("WWW-Authenticate"), test.question) {
				t.Errorf("verify = %d, %v, want %d and path %q", w.Code, h, test.want, test.path)
			}
		})
	}
	for _, broken := range [][]string{nil, {signed, signed}} {
		req := httptest.NewRequest("GET", "/verify", nil)
		req.Header["X-Original-Uri"] = broken
		req.Header.Set("X-Original-Method", "GET")
		w := httptest.NewRecorder()
		if r.VerifyHandler().ServeHTTP(w, req); w.Code != http.StatusForbidden {
			t.Errorf("verify of %d URIs = %d, want 403", len(broken), w.Code)
		}
	}
	if strings.Contains(text.String(), "sig=") || strings.Contains(text.String(), "right horse") {
		t.Errorf("log holds a secret:\n%s", text)
	}
}
