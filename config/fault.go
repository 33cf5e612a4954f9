package config

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Signing secrets are those of Standard Webhooks: base64 of 24 to 64 bytes
// behind a prefix.
const (
	signingPrefix = "whsec_"
	minSigning    = 24
	maxSigning    = 64
)

// minKey is how many bytes a key that signs recording links must have.
const minKey = 32

// keyFault says what is wrong with a key that signs recording links.
func keyFault(value string) string {
	if len(value) < minKey {
		return fmt.Sprintf("has %d bytes (at least %d)", len(value), minKey)
	}
	return ""
}

// signingFault says what is wrong with a secret that signs.
func signingFault(value string) string {
	text, ok := strings.CutPrefix(value, signingPrefix)
	raw, err := base64.StdEncoding.DecodeString(text)
	switch {
	case !ok || err != nil:
		return `is not a Standard Webhooks secret ("whsec_" and base64)`
	case len(raw) < minSigning || len(raw) > maxSigning:
		return "is not of 24 to 64 bytes"
	}
	return ""
}

// proxyFault says what is wrong with a proxy, which may hold a password.
func proxyFault(value string) string {
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return "is not the URL of a proxy (allowed: http://, https://, socks5://)"
	}
	if strings.Trim(u.Path, "/") != "" || strings.ContainsAny(value, "?#") {
		return "has a path, a query or a fragment (in a password, / ? # @ are written %2F %3F %23 %40)"
	}
	return ""
}

// headerFault says what is wrong with a value that goes into a header.
func headerFault(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "has a control character"
	}
	return ""
}
