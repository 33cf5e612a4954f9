package exchange

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"callrelay/config"
)

// FilesStamp shows whether the files of TLS settings have changed: it is
// another text after a change.
func FilesStamp(t *config.TLS) string {
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

// IsTLS reports whether an attempt failed at TLS: a certificate that is not
// trusted or has ended, on either side, or an endpoint that speaks none.
func IsTLS(err error) bool {
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
