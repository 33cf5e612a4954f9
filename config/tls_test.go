package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writePair writes a certificate and its key into a folder.
func writePair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: text},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTLSFiles(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	writePair(t, a)
	writePair(t, b)
	for _, test := range []struct {
		name    string
		ca      string
		cert    string
		key     string
		active  string
		want    string
		warning string
	}{
		{"a pair and its authority", a + "/cert.pem", a + "/cert.pem", a + "/key.pem", "true", "", ""},
		{"a pair that does not match", a + "/cert.pem", a + "/cert.pem", b + "/key.pem", "true", "private key does not match public key", ""},
		{"a key that is not there", a + "/cert.pem", a + "/cert.pem", a + "/no.pem", "true", "no such file or directory", ""},
		{"no key for an inactive service", a + "/cert.pem", a + "/cert.pem", a + "/no.pem", "false", "", "no such file or directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, problems := load(t, service+"active = "+test.active+"\ntls = { ca = \""+test.ca+"\", cert = \""+test.cert+"\", key = \""+test.key+"\" }")
			for got, want := range map[*[]Problem]string{&problems: test.want, new(c.Warnings()): test.warning} {
				text := strings.Join(lines(*got), "\n")
				if (want == "") != (text == "") || !strings.Contains(text, want) {
					t.Errorf("got %q, want %q", text, want)
				}
			}
		})
	}
}
