package deliver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"callrelay/config"
)

// newTLS reads the files of a service's TLS settings; nil stands for the
// defaults. It fails closed: a file that cannot be used is an error that names
// it, never a connection without it.
func newTLS(t *config.TLS) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if t == nil {
		return c, nil
	}
	c.ServerName = t.ServerName
	c.InsecureSkipVerify = t.InsecureSkipVerify
	if version, ok := tlsVersions[t.MinVersion]; ok {
		c.MinVersion = version
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls ca: %s holds no certificate", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls client certificate %s: %w", t.Cert, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

var tlsVersions = map[string]uint16{
	"1.0": tls.VersionTLS10,
	"1.1": tls.VersionTLS11,
	"1.2": tls.VersionTLS12,
	"1.3": tls.VersionTLS13,
}

// filesStamp tells whether the files of TLS settings have changed: it is
// another text after a change.
func filesStamp(t *config.TLS) string {
	if t == nil {
		return ""
	}
	var stamp strings.Builder
	for _, path := range []string{t.CA, t.Cert, t.Key} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&stamp, "%s gone;", path)
			continue
		}
		fmt.Fprintf(&stamp, "%s %d %d;", path, info.ModTime().UnixNano(), info.Size())
	}
	return stamp.String()
}

// isTLS reports whether an attempt failed at TLS: a certificate that is not
// trusted or has ended, on either side, or an endpoint that speaks none.
func isTLS(err error) bool {
	var (
		record  tls.RecordHeaderError
		alert   tls.AlertError
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
	)
	return errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &verify) ||
		errors.As(err, &unknown) || errors.As(err, &invalid) || errors.As(err, &host) ||
		strings.Contains(err.Error(), "tls: ") || strings.HasPrefix(err.Error(), "tls ") ||
		strings.HasSuffix(err.Error(), "HTTP response to HTTPS client")
}
