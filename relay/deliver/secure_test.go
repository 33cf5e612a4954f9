package deliver

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// bothWays is an endpoint that speaks HTTP with and without TLS on one port, and
// notes the ids that come either way.
type bothWays struct {
	net.Listener
	config *tls.Config
	work   sync.WaitGroup

	mu             sync.Mutex
	clear, secured []string
}

func newBothWays(t testing.TB, a *authority) *bothWays {
	t.Helper()
	cert, key := a.leaf("crm.test", x509.ExtKeyUsageServerAuth)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &bothWays{Listener: l, config: &tls.Config{Certificates: []tls.Certificate{pair}}}
	e.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.work.Go(func() { e.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); e.work.Wait() })
	return e
}

// peeked is a connection of which something was read already.
type peeked struct {
	net.Conn
	r io.Reader
}

func (a peeked) Read(b []byte) (int, error) { return a.r.Read(b) }

func (e *bothWays) serve(c net.Conn) {
	defer c.Close()
	r, ids := bufio.NewReader(c), &e.clear
	first, err := r.Peek(1)
	if err != nil {
		return
	}
	if first[0] == 0x16 {
		c = tls.Server(peeked{c, r}, e.config)
		r, ids = bufio.NewReader(c), &e.secured
	}
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		e.mu.Lock()
		*ids = append(*ids, req.Header.Get("Webhook-Id"))
		e.mu.Unlock()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	}
}

// A busy service goes over to TLS with the reload: what is owed after that goes
// nowhere in the clear, and nothing is lost.
func TestAfterAReloadToTLSNothingGoesOutInTheClear(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	e := newBothWays(t, a)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(a.cert), 0o600); err != nil {
		t.Fatal(err)
	}
	toml := func(scheme string) string {
		return service("crm", scheme+"://"+e.Addr().String()+"/", fmt.Sprintf("auth.bearer = \"token-1\"\ntls = { ca = %q, server_name = \"crm.test\" }", ca))
	}
	r := rigged(t, toml("http"))
	r.owe("crm", names("before", 400)...)
	r.until("it is busy", func() bool { return r.status("crm").Delivered > 50 })
	r.Apply(r.table(toml("https")))
	r.owe("crm", names("after", 100)...)
	r.until("all are delivered", func() bool { return r.status("crm").Delivered == 500 })
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range e.clear {
		if strings.HasPrefix(id, "after") {
			t.Errorf("%s went out in the clear", id)
		}
	}
	if len(e.clear) == 0 || len(e.secured) < 100 {
		t.Errorf("%d in the clear before, %d over TLS after", len(e.clear), len(e.secured))
	}
}
