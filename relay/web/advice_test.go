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
		{0, "http: server gave HTTP response to HTTPS client", "plain HTTP"},
		{0, "net/http: malformed HTTP response \"\\x15\\x03\"", "a web server's port"},
		{0, "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: a", "renewed"},
		{0, "tls: failed to verify certificate: x509: certificate is not yet valid: a", "clock"},
		{0, "x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs", "server_name"},
		{0, "dial tcp: lookup crm.example.com: no such host", "resolver"},
		{0, "dial tcp 192.0.2.1:443: connect: network is unreachable", "routes"},
		{0, "dial tcp 192.0.2.1:443: connect: no route to host", "firewalls"},
		{0, "dial tcp 192.0.2.1:443: i/o timeout", "longer timeout"},
		{0, "no whole answer within 5s: context deadline exceeded", "longer timeout"},
		{400, "status 400", "relay render"},
		{403, "status 403", "its rights there"},
		{404, "status 404", "path in url"},
		{405, "status 405", "method"},
		{407, "status 407", "in proxy"},
		{413, "status 413", "smaller payload"},
		{415, "status 415", "content_type"},
		{422, "status 422", "relay render"},
		{429, "status 429", "the endpoint limits"},
		{503, "status 503", "down or busy"},
	} {
		if got := Advice(test.status, test.text); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%d %q: got %q, want %q", test.status, test.text, got, test.want)
		}
	}
}
