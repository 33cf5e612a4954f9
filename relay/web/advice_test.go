package web

import (
	"strings"
	"testing"
)

func TestAdviceFitsTheFailure(t *testing.T) {
	for _, test := range []struct {
		status int
		text   string
		want   string // part of it
	}{
		{301, "status 301, to https://crm.example.com/new: <html>", `url = "https://crm.example.com/new"`},
		{302, "status 302", "redirects are not followed"},
		{401, "status 401", "[service.auth]"},
		{502, "status 502: x509: certificate has expired", "its own log"},
		{204, "success_body does not match", ""},
		{0, "tls: first record does not look like a TLS handshake", "http://"},
		{0, "tls: failed to verify certificate: x509: certificate signed by unknown authority", "[service.tls] ca"},
		{0, "tls: failed to verify certificate: x509: certificate is valid for a, not b", "server_name"},
		{0, "remote error: tls: handshake failure", "[service.tls]"},
		{0, "read tcp 127.0.0.1:1->127.0.0.1:2: connection reset by peer", "https://"},
		{0, "dial tcp 127.0.0.1:1: connect: connection refused", "nothing listens"},
		{0, "context deadline exceeded", "timeout"},
		{0, "blocked: 10.0.0.1 is private (allow_private = false)", "allow_private = true"},
		{0, "something new", ""},
	} {
		if got := Advice(test.status, test.text); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%d %q: got %q, want %q", test.status, test.text, got, test.want)
		}
	}
}
