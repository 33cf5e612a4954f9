package web

import (
	"fmt"
	"strings"
)

// advice is what helps against errors whose text has a part; the first that fits
// counts.
var advice = [...]struct{ part, try string }{
	{"first record does not look like a TLS handshake", "the endpoint speaks plain HTTP there: url with http://, or its TLS port"},
	{"HTTP response to HTTPS client", "the endpoint speaks plain HTTP there: url with http://, or its TLS port"},
	{"malformed HTTP response", "is that a web server's port? If it speaks TLS: url with https://"},
	{"signed by unknown authority", "[service.tls] ca = the file of the authority, if you trust it"},
	{"certificate has expired", "have the endpoint's certificate renewed; what waits is kept"},
	{"certificate is not yet valid", "look at this machine's clock, then at the endpoint's certificate"},
	{"certificate is valid for", "url with a name that the certificate has, or [service.tls] server_name"},
	{"doesn't contain any IP SANs", "url with a name that the certificate has, or [service.tls] server_name"},
	{"tls: ", "[service.tls]: ca, cert and key, min_version; and what the endpoint asks for"},
	{"no such host", "look at the host's name in url, and at this machine's resolver"},
	{"connection refused", "nothing listens there: look at host and port in url, and whether the endpoint runs"},
	{"connection reset", "the endpoint hangs up: if it speaks TLS there, url with https://; else ask its log"},
	{"network is unreachable", "look at this machine's routes, or set proxy"},
	{"no route to host", "look at this machine's routes and firewalls, or set proxy"},
	{"allow_private = false", "a public address in url, or allow_private = true"},
	{"timeout", "a longer timeout, or ask why the endpoint takes so long; concurrency may be too much for it"},
	{"deadline exceeded", "a longer timeout, or ask why the endpoint takes so long; concurrency may be too much for it"},
}

// statusAdvice is what helps against a status.
var statusAdvice = map[int]string{
	400: "look at what was sent: relay render, or debug = true and relay debug",
	401: "[service.auth]: user, password or token are not what the endpoint wants",
	403: "the endpoint knows the caller and refuses: its rights there, or the address it comes from",
	404: "the path in url",
	405: "method, or the path in url",
	407: "user and password in proxy",
	413: "a smaller payload: fewer tags, or a limit at the endpoint",
	415: "the body key or content_type",
	422: "look at what was sent: relay render, or debug = true and relay debug",
	429: "rate or concurrency of the service: the endpoint limits",
	503: "the endpoint is down or busy: its own log",
}

// Advice says what to try against a failure of an attempt; empty: nothing is known
// to help. The status counts where there was an answer.
func Advice(status int, text string) string {
	switch {
	case status >= 300 && status < 400:
		if _, to, moved := strings.Cut(text, ", to "); moved {
			to, _, _ = strings.Cut(to, ": ")
			return fmt.Sprintf("the endpoint has moved, and redirects are not followed: url = %q", to)
		}
		return "redirects are not followed: url with the place it moved to"
	case statusAdvice[status] != "":
		return statusAdvice[status]
	case status >= 500:
		return "the endpoint fails: its own log"
	case status != 0:
		return ""
	}
	for _, a := range advice {
		if strings.Contains(text, a.part) {
			return a.try
		}
	}
	return ""
}
