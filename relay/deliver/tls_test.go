package deliver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/relay/exchange"
)

// authority signs certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.sign(template)
	return a
}

// sign makes a certificate, signed by the authority or by itself.
func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// leaf makes a certificate for a name, as PEM.
func (a *authority) leaf(name string, usage x509.ExtKeyUsage) (cert, key []byte) {
	a.t.Helper()
	c, k := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	})
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		a.t.Fatal(err)
	}
	return pemOf(c), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func pemOf(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// newTLSReceiver is a receiver that wants a certificate of the authority.
func newTLSReceiver(t testing.TB, a *authority) *receiver {
	t.Helper()
	cert, key := a.leaf("crm.test", x509.ExtKeyUsageServerAuth)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	rc := &receiver{}
	rc.Server = httptest.NewUnstartedServer(rc)
	rc.Config.ErrorLog = log.New(io.Discard, "", 0)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	rc.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	rc.StartTLS()
	t.Cleanup(rc.Close)
	return rc
}

func TestMutualTLSWithFilesReadAgain(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	rc := newTLSReceiver(t, a)
	var mu sync.Mutex
	seen := map[string]int{}
	rc.respond(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.TLS.PeerCertificates[0].Subject.CommonName]++
	})
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	replace := func(name string) {
		cert, key := a.leaf(name, x509.ExtKeyUsageClientAuth)
		write(t, path("key.pem"), key)
		write(t, path("cert.pem"), cert)
	}
	replace("first")
	write(t, path("ca.pem"), pemOf(a.cert))
	r := rigged(t, service("crm", rc.URL, fmt.Sprintf("[service.tls]\nca = %q\ncert = %q\nkey = %q\nserver_name = \"crm.test\"\nmin_version = \"1.3\"",
		path("ca.pem"), path("cert.pem"), path("key.pem"))))
	r.owe("crm", names("a", 10)...)
	r.until("all arrive", func() bool { return r.status("crm").Delivered == 10 })
	replace("second")
	before := r.runner("crm").setup.Load()
	r.until("the files are read again", func() bool {
		s := r.runner("crm").setup.Load()
		return s != before && s.stamp == exchange.FilesStamp(s.service.TLS)
	})
	r.owe("crm", names("b", 10)...)
	r.until("all arrive", func() bool { return r.status("crm").Delivered == 20 })
	mu.Lock()
	defer mu.Unlock()
	if seen["first"] != 10 || seen["second"] != 10 {
		t.Errorf("seen %v, want 10 with each certificate", seen)
	}
}

func TestTLSFailsClosedAndSaysWhy(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	rc := newTLSReceiver(t, a)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write(t, path("ca.pem"), pemOf(a.cert))
	for _, test := range []struct {
		name, tls, want string
	}{
		{"a server nobody vouches for", `server_name = "crm.test"`, "certificate signed by unknown authority"},
		{"a name that is not the server's", fmt.Sprintf("ca = %q", path("ca.pem")), "127.0.0.1"},
		{"no client certificate", fmt.Sprintf("ca = %q\nserver_name = \"crm.test\"", path("ca.pem")), "certificate required"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rigged(t, service("crm", rc.URL, "[service.tls]\n"+test.tls))
			r.owe("crm", "a")
			r.until("the attempt has failed", func() bool { return r.status("crm").LastError != "" })
			if got := r.status("crm").LastError; !strings.Contains(got, test.want) {
				t.Errorf("error = %q, want it to say %q", got, test.want)
			}
			if v, _ := r.metric(`relay_attempts_total{class="tls",service="crm"}`); v == 0 {
				t.Error("the attempt is not of class tls")
			}
		})
	}
	if rc.count() != 0 {
		t.Errorf("%d requests got through", rc.count())
	}
}

func TestAFileThatBreaksIsNamed(t *testing.T) {
	a := newAuthority(t)
	rc := newTLSReceiver(t, a)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, pemOf(a.cert))
	s := tableOf(t, t.TempDir(), service("crm", rc.URL, fmt.Sprintf("[service.tls]\nca = %q", ca))).Service("crm")
	write(t, ca, []byte("no certificate"))
	_, err := newSetup(s, environment{}, nil).sender.Send(t.Context(), &exchange.Attempt{})
	if err == nil || !strings.Contains(err.Error(), ca+" holds no certificate") || classOfError(err) != classTLS {
		t.Errorf("error = %v", err)
	}
}
