package recordings

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrelay/config"
)

// start serves until the test ends, and returns the address.
func start(t *testing.T, r *Recordings) (addr string, stop func() error) {
	t.Helper()
	a, err := r.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx) }()
	return a.String(), func() error { cancel(); return <-ended }
}

func TestServe(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	put(t, r, "a.wav", testFile(t, "mono.wav"))
	addr, stop := start(t, r)
	if resp, _ := ask(t, addr, "GET", target(t, r.Link("a.wav", "", time.Now(), -1, -1))); resp.StatusCode != 200 {
		t.Errorf("status %d, want 200", resp.StatusCode)
	}
	if err := stop(); err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

func TestServeNothing(t *testing.T) {
	c := testConfig(t)
	c.Listen = ""
	r, _ := openTest(t, c, Options{})
	if err := r.Serve(t.Context()); err != nil {
		t.Errorf("Serve = %v, want nil at once", err)
	}
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	first, _ := openTest(t, testConfig(t), Options{})
	addr, stop := start(t, first)
	defer func() { _ = stop() }()
	for name, change := range map[string]func(*config.Recordings){
		"address in use":             func(c *config.Recordings) { c.Listen = addr },
		"certificate that is no one": func(c *config.Recordings) { c.TLS = &config.TLS{Cert: "/dev/null", Key: "/dev/null"} },
	} {
		c := testConfig(t)
		change(c)
		r, _ := openTest(t, c, Options{})
		if err := r.Serve(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "recordings: ") {
			t.Errorf("%s: Serve = %v, want an error", name, err)
		}
	}
}

// TestStopLetsDownloadsFinish ends the server in the middle of one.
func TestStopLetsDownloadsFinish(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	const size = 64 << 20
	path := put(t, r, "a.wav", nil)
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	addr, stop := start(t, r)
	resp, err := http.Get("http://" + addr + target(t, r.Link("a.wav", "", time.Now(), -1, -1)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	waitFor(t, "a closed listener", func() bool {
		_, err := http.Get("http://" + addr + "/")
		return err != nil
	})
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("got %d bytes, %v, want %d", n, err, size)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

// certificate writes a new self-signed certificate with a serial number.
func certificate(t *testing.T, c *config.TLS, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"relay.test"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{c.Cert: {Type: "CERTIFICATE", Bytes: cert}, c.Key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCertificateIsReadAgain replaces the files of a server that runs, first
// with good ones and then with bad ones.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	dir := t.TempDir()
	c.TLS = &config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	certificate(t, c.TLS, 1)
	r, text := openTest(t, c, Options{})
	addr, stop := start(t, r)
	defer func() { _ = stop() }()
	serial := func() int64 {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d, want 1", got)
	}
	certificate(t, c.TLS, 2)
	waitFor(t, "the new certificate", func() bool { return serial() == 2 })
	if err := os.WriteFile(c.TLS.Cert, []byte("half a certifi"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the log to say so", func() bool { return serial() == 2 && strings.Contains(text.String(), "certificate kept") })
	certificate(t, c.TLS, 3)
	waitFor(t, "the third certificate", func() bool { return serial() == 3 })
}

// TestFolderIsReplaced has another folder take the place of the one that was
// opened, as a mount does.
func TestFolderIsReplaced(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	r, _ := openTest(t, c, Options{})
	putOld(t, r, "old.wav", testFile(t, "mono.wav"))
	if err := os.Rename(c.Dir, c.Dir+".old"); err != nil {
		t.Fatal(err)
	}
	putOld(t, r, "new.wav", testFile(t, "mono.wav"))
	waitFor(t, "the new folder", func() bool {
		return r.Look("new.wav", -1, -1).State == StateReady && r.Look("old.wav", -1, -1).State == StatePending
	})
}

// TestOpenTouchesNothing is what commands do that only make links.
func TestOpenTouchesNothing(t *testing.T) {
	c := testConfig(t)
	r, err := Open(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if got := r.Look("a.wav", -1, -1); got.State != StatePending || r.Link("a.wav", "", time.Now(), -1, -1) == "" {
		t.Errorf("Look = %s, want %s and a link", got.State, StatePending)
	}
	if _, err := os.Stat(c.Dir); err == nil {
		t.Error("the folder was made")
	}
	if _, err := r.Listen(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Dir); err != nil {
		t.Errorf("the folder was not made: %v", err)
	}
}
