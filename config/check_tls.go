package config

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

// tls judges a TLS table, but not its files.
func (f rules) tls(at place, key string, t *TLS) {
	if t == nil {
		return
	}
	at = at.in(key)
	if t.MinVersion != "" {
		f.oneOf(at, "min_version", t.MinVersion, "1.2", "1.3")
	}
	if t.Renegotiation != "" {
		f.oneOf(at, "renegotiation", t.Renegotiation, "never", "once")
	}
	switch {
	case t.Cert == "" && t.Key != "":
		f.report(at, "key", "key needs cert")
	case t.Key == "" && t.Cert != "":
		f.report(at, "cert", "cert needs key")
	}
}

// tlsFiles judges the files of a TLS table; what they lack is reported by report.
func (f *file) tlsFiles(report reporter, at place, key string, t *TLS) {
	if t == nil {
		return
	}
	at = at.in(key)
	if t.CA != "" {
		text, err := os.ReadFile(t.CA)
		switch {
		case err != nil:
			report(at, "ca", "ca %q: %s", t.CA, cause(err))
		case !x509.NewCertPool().AppendCertsFromPEM(text):
			report(at, "ca", "ca %q holds no certificate in PEM form", t.CA)
		}
	}
	if t.Cert != "" && t.Key != "" {
		keyPair(report, at, t)
	}
}

// keyPair judges a certificate and its key.
func keyPair(report reporter, at place, t *TLS) {
	for _, file := range []struct{ key, path string }{{"cert", t.Cert}, {"key", t.Key}} {
		if _, err := os.ReadFile(file.path); err != nil {
			report(at, file.key, "%s %q: %s", file.key, file.path, cause(err))
			return
		}
	}
	if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
		report(at, "cert", "cert %q and key %q: %v", t.Cert, t.Key, err)
	}
}
