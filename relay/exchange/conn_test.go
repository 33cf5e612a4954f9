package exchange

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

// script is an endpoint whose connections are handled by a function, which
// knows how many came before.
func script(t testing.TB, handle func(n int64, c net.Conn)) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	work.Go(func() {
		for n := int64(0); ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() {
				defer c.Close()
				handle(n, c)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); work.Wait() })
	return l.Addr()
}

func TestAnAnswerBeforeTheRequestIsRead(t *testing.T) {
	listening := make(chan struct{})
	at := script(t, func(_ int64, c net.Conn) {
		<-listening
		_, _ = io.WriteString(c, "HTTP/1.1 503 Too Busy\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	})
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	l := newConnection(conn, at.String(), new(gate))
	defer func() { _ = l.Close() }()
	var once sync.Once
	err = l.raw.Read(func(fd uintptr) bool { // the runtime hears of the answer, and only once
		once.Do(func() { close(listening) })
		return !quietSocket(fd)
	})
	if err != nil {
		t.Fatal(err)
	}
	u := &url.URL{Scheme: "http", Host: at.String(), Path: "/"}
	a := &Attempt{Method: http.MethodPost, URL: u, Deadline: time.Now().Add(5 * time.Second)}
	reply, _, err := l.exchange(t.Context(), a, newTarget(u, false), 100)
	if err != nil || reply.Status != 503 {
		t.Errorf("status %d, %v; want 503", reply.Status, err)
	}
}

func TestAnswersInDribbles(t *testing.T) {
	for _, answer := range []string{
		plain,
		"HTTP/1.1 100 Continue\r\n\r\n" + plain,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-T: 1\r\n\r\n",
	} {
		at := script(t, func(n int64, c net.Conn) {
			for r := bufio.NewReader(c); n == 0; { // another connection is a fault
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.Copy(c, iotest.OneByteReader(strings.NewReader(answer)))
			}
		})
		s := direct(t, "")
		for range 3 {
			if reply, err := sendTo(t, s, at.String()); err != nil || string(reply.Body) != "ok" {
				t.Errorf("%.30q: %q, %v; want ok", answer, reply.Body, err)
			}
		}
		s.closeIdle() // its endpoint waits for that
	}
}

// packed is a connection that gathers what is written, to send it at once.
type packed struct {
	net.Conn
	gathered bytes.Buffer
}

func (p *packed) Write(b []byte) (int, error) { return p.gathered.Write(b) }

func (p *packed) Read(b []byte) (int, error) {
	if err := p.flush(); err != nil {
		return 0, err
	}
	return p.Conn.Read(b)
}

func (p *packed) flush() error {
	_ = p.SetWriteDeadline(time.Time{}) // which crypto/tls lets end with its last word
	_, err := p.gathered.WriteTo(p.Conn)
	return err
}

// secureScript is a script over TLS, and a sender that trusts it.
func secureScript(t testing.TB, handle func(n int64, c *tls.Conn)) (net.Addr, *directSender) {
	t.Helper()
	srv := httptest.NewTLSServer(nil) // for its certificate
	srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	pair := srv.TLS.Certificates[0]
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	at := script(t, func(n int64, c net.Conn) {
		secured := tls.Server(&packed{Conn: c}, &tls.Config{Certificates: []tls.Certificate{pair}})
		if secured.Handshake() == nil {
			handle(n, secured)
		}
	})
	return at, direct(t, fmt.Sprintf("[service.tls]\nca = %q\nserver_name = \"example.com\"", ca))
}

func secureAttempt(at net.Addr, body []byte) *Attempt {
	return &Attempt{
		Method: http.MethodPost, URL: &url.URL{Scheme: "https", Host: at.String(), Path: "/"},
		Header: Headers{}, Body: body,
	}
}

func TestWhatTLSHoldsBehindAnAnswerIsNoAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		behind func(c *tls.Conn) error
	}{
		{"another answer", func(c *tls.Conn) error {
			_, err := io.WriteString(c, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
			return err
		}},
		{"the end", (*tls.Conn).CloseWrite},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, s := secureScript(t, func(n int64, c *tls.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
					return
				}
				_, _ = io.WriteString(c, plain)
				if n == 0 {
					_ = test.behind(c)
				}
				_ = c.NetConn().(*packed).flush()
				_, _ = io.Copy(io.Discard, c)
			})
			for i := range 2 {
				if reply, err := s.Send(t.Context(), secureAttempt(at, nil)); err != nil || reply.Status != http.StatusOK {
					t.Errorf("exchange %d: status %d, %v; want 200", i+1, reply.Status, err)
				}
			}
		})
	}
}

func TestAnEndpointThatReadsNothingHoldsNoPlace(t *testing.T) {
	shut := make(chan struct{})
	at, s := secureScript(t, func(_ int64, c *tls.Conn) {
		_ = c.NetConn().(*packed).flush()
		<-shut
	})
	t.Cleanup(func() { close(shut) })
	body := make([]byte, 16<<20)
	var work sync.WaitGroup
	for range 8 { // its buffers do not always have room for one more word
		work.Go(func() {
			a := secureAttempt(at, body)
			a.Deadline = time.Now().Add(time.Second / 4)
			if _, err := s.Send(t.Context(), a); !TimedOut(err) {
				t.Errorf("error = %v, want a timeout", err)
			}
			if late := time.Since(a.Deadline); late > 4*time.Second {
				t.Errorf("it ended %s after its deadline", late)
			}
		})
	}
	work.Wait()
}
