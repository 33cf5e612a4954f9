package exchange

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// closing is an endpoint that takes one request on a connection, reads the next
// one or not, and ends it without an answer.
func closing(t testing.TB, end func(c *net.TCPConn, r *bufio.Reader)) (at net.Addr, answered *atomic.Int64) {
	t.Helper()
	answered = &atomic.Int64{}
	at = script(t, func(_ int64, c net.Conn) {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		answered.Add(1)
		_, _ = io.WriteString(c, plain)
		end(c.(*net.TCPConn), r)
	})
	return at, answered
}

// What a connection that was used before ends with no byte of an answer is sent
// once more, at once, whether it ends as the request comes or after it.
func TestWhatAReusedConnectionEndsIsSentOnceMore(t *testing.T) {
	for name, end := range map[string]func(c *net.TCPConn, r *bufio.Reader){
		"it ends when the request is there": func(_ *net.TCPConn, r *bufio.Reader) { _, _ = r.Peek(1) },
		"it ends when the request is read":  func(_ *net.TCPConn, r *bufio.Reader) { _, _ = http.ReadRequest(r) },
		"it is reset": func(c *net.TCPConn, r *bufio.Reader) {
			_, _ = r.Peek(1)
			_ = c.SetLinger(0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			at, answered := closing(t, end)
			s := direct(t, "")
			for i := range 10 {
				if reply, err := sendTo(t, s, at.String()); err != nil || reply.Status != 200 {
					t.Fatalf("exchange %d: status %d, %v", i+1, reply.Status, err)
				}
			}
			if n := answered.Load(); n != 10 {
				t.Errorf("%d answers for 10 exchanges", n)
			}
		})
	}
}

// Only once, and only what a connection ended that was used before, without a
// byte of an answer and before the deadline.
func TestWhatIsNotSentAgain(t *testing.T) {
	for _, test := range []struct {
		name  string
		next  func(n int64, c net.Conn) // what becomes of the second request
		calls int64                     // made on the whole
	}{
		{"a byte of an answer came", func(_ int64, c net.Conn) { _, _ = io.WriteString(c, "H") }, 2},
		{"an interim answer came", func(_ int64, c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n") }, 2},
		{"the new connection ends, too", func(int64, net.Conn) {}, 3},
		{"time was up", func(_ int64, c net.Conn) { _, _ = io.Copy(io.Discard, c) }, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var calls atomic.Int64
			at := script(t, func(n int64, c net.Conn) {
				for r := bufio.NewReader(c); ; {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					if calls.Add(1) > 1 {
						test.next(n, c)
						return
					}
					_, _ = io.WriteString(c, plain)
				}
			})
			s := direct(t, "")
			if _, err := sendTo(t, s, at.String()); err != nil {
				t.Fatal(err)
			}
			a := &Attempt{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: at.String()}, Deadline: time.Now().Add(time.Second / 4)}
			if _, err := s.Send(t.Context(), a); err == nil {
				t.Error("no error")
			}
			if n := calls.Load(); n != test.calls {
				t.Errorf("%d calls, want %d", n, test.calls)
			}
		})
	}
}

// A proxy's connections are net/http's, and are treated likewise.
func TestWhatAProxyEndsIsSentOnceMore(t *testing.T) {
	at, answered := closing(t, func(_ *net.TCPConn, r *bufio.Reader) { _, _ = http.ReadRequest(r) })
	sender, err := New(settings(t, "http://crm.example.com/", fmt.Sprintf("proxy = %q", "http://"+at.String())), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer CloseIdle(sender)
	for i := range 5 {
		if reply, err := sendTo(t, sender, "127.0.0.1:9"); err != nil || reply.Status != 200 {
			t.Fatalf("exchange %d: status %d, %v", i+1, reply.Status, err)
		}
	}
	if n := answered.Load(); n != 5 {
		t.Errorf("%d answers for 5 exchanges", n)
	}
}

func TestAConnectionAges(t *testing.T) {
	var conns atomic.Int64
	rc := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	rc.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	rc.Start()
	defer rc.Close()
	s := direct(t, "")
	for range 2*connUses + 1 {
		if _, err := sendTo(t, s, rc.Listener.Addr().String()); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections for %d exchanges, want 3", n, 2*connUses+1)
	}
	s.idle[0].opened = time.Now().Add(-connAge)
	for range 2 {
		if _, err := sendTo(t, s, rc.Listener.Addr().String()); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 4 {
		t.Errorf("%d connections after one grew old, want 4", n)
	}
}

func TestAProxysConnectionsAge(t *testing.T) {
	w := newWire(t, plain, plain, plain)
	s := &HTTPSender{Transport: &http.Transport{}, MaxResponse: 100}
	for i := range 3 {
		if _, err := sendTo(t, s, w.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			s.renewed.Add(-int64(connAge / time.Second)) // so the next exchange is its last
		}
	}
	if n := w.conns.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	s.closeIdle()
}

func TestWithoutKeepAliveEachExchangeHasAConnection(t *testing.T) {
	for _, more := range []string{"keep_alive = false", "keep_alive = false\nproxy = \"http://%s\""} {
		var said atomic.Int64
		at := script(t, func(_ int64, c net.Conn) {
			for r := bufio.NewReader(c); ; {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				_, _ = io.Copy(io.Discard, req.Body)
				if req.Close {
					said.Add(1)
				}
				_, _ = io.WriteString(c, plain) // and does not close
			}
		})
		if strings.Contains(more, "%s") {
			more = fmt.Sprintf(more, at)
		}
		s, err := New(settings(t, "http://127.0.0.1/", more), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := sendTo(t, s, at.String()); err != nil {
				t.Fatal(err)
			}
		}
		if d, ok := s.(*directSender); ok && len(d.idle) > 0 {
			t.Errorf("%d connections are kept", len(d.idle))
		}
		if n := said.Load(); n != 3 {
			t.Errorf("%d of 3 requests said Connection: close", n)
		}
	}
}

// muxed is an endpoint that speaks HTTP with and without TLS on one port, and
// notes what comes in the clear.
func muxed(t testing.TB) (at net.Addr, clear *atomic.Int64) {
	t.Helper()
	srv := httptest.NewTLSServer(nil) // for its certificate
	srv.Close()
	clear = &atomic.Int64{}
	at = script(t, func(_ int64, c net.Conn) {
		r := bufio.NewReader(c)
		if first, err := r.Peek(1); err != nil {
			return
		} else if first[0] == 0x16 {
			secured := tls.Server(peeked{c, r}, srv.TLS)
			defer secured.Close() //nolint:errcheck // nothing more is said
			c, r = secured, bufio.NewReader(secured)
		}
		for {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, secured := c.(*tls.Conn); !secured {
				clear.Add(1)
			}
			_, _ = io.Copy(io.Discard, req.Body)
			_, _ = io.WriteString(c, plain)
		}
	})
	return at, clear
}

type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

func TestAConnectionInTheClearServesNoSecureURL(t *testing.T) {
	at, clear := muxed(t)
	s := direct(t, "tls = { insecure_skip_verify = true }")
	for _, scheme := range []string{"http", "https", "http", "https"} {
		a := &Attempt{Method: http.MethodPost, URL: &url.URL{Scheme: scheme, Host: at.String(), Path: "/"}, Body: []byte("hello")}
		if reply, err := s.Send(t.Context(), a); err != nil || reply.Status != 200 {
			t.Fatalf("%s: status %d, %v", scheme, reply.Status, err)
		}
	}
	if n := clear.Load(); n != 2 {
		t.Errorf("%d requests in the clear, want the 2 of http", n)
	}
	s.closeIdle() // its endpoint waits for that
}

func TestAServiceThatGoesOverToTLSSharesNoSender(t *testing.T) {
	for _, test := range []struct {
		before, after string
		same          bool
	}{
		{"http://a/x", "http://b/y", true},
		{"http://a/x", "https://a/x", false},
		{"HTTPS://a/x", "https://a/x", true},
		{"https://a/x", "http://a/x", false},
	} {
		if got := SameClient(settings(t, test.before, ""), settings(t, test.after, "")); got != test.same {
			t.Errorf("%s and %s: same = %v, want %v", test.before, test.after, got, test.same)
		}
	}
}

// Once Retire has returned, not a byte of a request goes out: neither what is
// still to be sent, nor the rest of what an endpoint reads slowly.
func TestARetiredSenderWritesNothing(t *testing.T) {
	began, reading := make(chan struct{}), make(chan struct{})
	var read atomic.Int64
	at := script(t, func(_ int64, c net.Conn) {
		n, err := io.ReadAtLeast(c, make([]byte, 1000), 1000)
		if err != nil {
			return
		}
		close(began)
		<-reading
		rest, _ := io.Copy(io.Discard, c)
		read.Store(int64(n) + rest)
	})
	s := direct(t, "")
	a := func(body int) *Attempt {
		return &Attempt{Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: at.String()}, Body: make([]byte, body)}
	}
	const large = 64 << 20 // more than the buffers of both ends take
	ended := make(chan error)
	go func() {
		_, err := s.Send(context.Background(), a(large))
		ended <- err
	}()
	<-began
	Retire(s)
	close(reading)
	if err := <-ended; !errors.Is(err, ErrRetired) {
		t.Errorf("the one under way: %v, want it retired", err)
	}
	until(t, "all is read", func() bool { return read.Load() > 0 })
	if n := read.Load(); n >= large {
		t.Errorf("all %d bytes went out", n)
	}
	if _, err := s.Send(t.Context(), a(5)); !errors.Is(err, ErrRetired) {
		t.Errorf("the next one: %v, want it retired", err)
	}
	if _, err := s.Send(t.Context(), a(oneWrite+1)); !errors.Is(err, ErrRetired) {
		t.Errorf("a long one: %v, want it retired", err)
	}
}

// Under load, too.
func TestARetiredSenderWritesNothingUnderLoad(t *testing.T) {
	var retired atomic.Bool
	var late, sent atomic.Int64
	rc := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer rc.Close()
	s := direct(t, "concurrency = 16")
	s.gate = gate{}
	var work sync.WaitGroup
	for range 16 {
		work.Go(func() {
			for {
				was := retired.Load()
				_, err := sendTo(t, s, rc.Listener.Addr().String())
				if errors.Is(err, ErrRetired) {
					return
				}
				if sent.Add(1); was {
					late.Add(1)
				}
			}
		})
	}
	until(t, "there is load", func() bool { return sent.Load() > 100 })
	Retire(s)
	retired.Store(true)
	work.Wait()
	if n := late.Load(); n > 0 {
		t.Errorf("%d requests began after that and went out", n)
	}
}
