package asterisk

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/config"
)

func TestNewTLS(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		in   *config.TLS
		want string // of the error; empty: none
	}{
		{"plain TCP", nil, ""},
		{"the system's certificates", &config.TLS{}, ""},
		{"a file that is away", &config.TLS{CA: empty + "x"}, "tls ca"},
		{"a file without a certificate", &config.TLS{CA: empty}, "holds no certificate"},
		{"a client certificate that is none", &config.TLS{Cert: empty, Key: empty}, "tls client certificate"},
	} {
		got, err := newTLS(test.in, "pbx.example.com:5039")
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if err == nil && test.in != nil && (got.ServerName != "pbx.example.com" || got.MinVersion != tls.VersionTLS12) {
			t.Errorf("%s: server name %q, minimum %x", test.name, got.ServerName, got.MinVersion)
		}
	}
}
