package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
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

// sets returns the canonical name of the header that carries the credentials, or
// "" when none does.
func (a *Auth) sets() string {
	switch {
	case a.Header != nil:
		return http.CanonicalHeaderKey(a.Header.Name)
	case a.Basic != nil || a.Bearer.Set() || a.OAuth2 != nil:
		return "Authorization"
	}
	return ""
}

// checkAuth judges all of auth but the values of its secrets.
func (c *Config) checkAuth(at place, s *Service) {
	f, a := c.file, &s.Auth
	kinds := a.kinds()
	for i := 1; i < len(kinds); i++ {
		f.report(at, kinds[i], "%s cannot stand beside %s (a service has one kind of auth)", kinds[i], kinds[0])
	}
	if a.Basic != nil {
		f.user(at.in("basic"), a.Basic.User, a.Basic.Password)
	}
	if a.WSSE != nil {
		f.user(at.in("wsse"), a.WSSE.User, a.WSSE.Password)
	}
	if a.Header != nil {
		f.authHeader(at.in("header"), a.Header)
	}
	if a.OAuth2 != nil {
		f.oauth2(at.in("oauth2"), a.OAuth2)
	}
}

// kinds returns the kinds that are configured.
func (a *Auth) kinds() []string {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"basic", a.Basic != nil},
		{"header", a.Header != nil},
		{"bearer", a.Bearer.Set()},
		{"oauth2", a.OAuth2 != nil},
		{"wsse", a.WSSE != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	return kinds
}

func (f *file) user(at place, user string, password Secret) {
	f.present(at, "user", user)
	if !password.Set() {
		f.report(at, "password", "password is missing")
	}
	if strings.HasSuffix(at.key, "basic") && strings.Contains(user, ":") {
		f.report(at, "user", "user %q has a colon, which basic authentication cannot carry", user)
	}
}

func (f *file) authHeader(at place, h *HeaderAuth) {
	why := ownHeader(h.Name)
	switch {
	case !f.present(at, "name", h.Name):
	case !token.MatchString(h.Name):
		f.report(at, "name", "name %q is not the name of a header", h.Name)
	case why != "":
		f.report(at, "name", "name %q cannot be set here (%s)", h.Name, why)
	}
	if !h.Value.Set() {
		f.report(at, "value", "value is missing")
	}
}

func (f *file) oauth2(at place, o *OAuth2) {
	if f.present(at, "token_url", o.TokenURL) {
		f.link(at, "token_url", o.TokenURL, "http", "https")
	}
	f.present(at, "client_id", o.ClientID)
	if !o.ClientSecret.Set() {
		f.report(at, "client_secret", "client_secret is missing")
	}
}

// tls judges the files of a TLS table.
func (f *file) tls(at place, key string, t *TLS) {
	if t == nil {
		return
	}
	at = at.in(key)
	if t.MinVersion != "" {
		f.oneOf(at, "min_version", t.MinVersion, "1.2", "1.3")
	}
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		switch {
		case err != nil:
			f.report(at, "ca", "ca %q: %s", t.CA, cause(err))
		case !x509.NewCertPool().AppendCertsFromPEM(text):
			f.report(at, "ca", "ca %q holds no certificate in PEM form", t.CA)
		}
	}
	switch {
	case t.Cert == "" && t.Key == "":
	case t.Cert == "":
		f.report(at, "key", "key needs cert")
	case t.Key == "":
		f.report(at, "cert", "cert needs key")
	default:
		f.keyPair(at, t)
	}
}

// keyPair judges a certificate and its key.
func (f *file) keyPair(at place, t *TLS) {
	for _, file := range []struct{ key, path string }{{"cert", t.Cert}, {"key", t.Key}} {
		if _, err := os.ReadFile(file.path); err != nil {
			f.report(at, file.key, "%s %q: %s", file.key, file.path, cause(err))
			return
		}
	}
	if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
		f.report(at, "cert", "cert %q and key %q: %v", t.Cert, t.Key, err)
	}
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
	return ""
}

// headerFault says what is wrong with a value that goes into a header.
func headerFault(value string) string {
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "has a control character"
	}
	return ""
}
