package exchange

import (
	"bufio"
	"context"
	"errors"
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
	"sync/atomic"
	"testing"
	"time"

	"callrelay/config"
)

// wire is an endpoint that answers bytes as they are: one text for each request
// of a connection, which it closes when it has no more.
type wire struct {
	net.Listener
	conns atomic.Int64
	work  sync.WaitGroup
}

func newWire(t testing.TB, answers ...string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l}
	w.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.conns.Add(1)
			w.work.Go(func() { converse(c, answers) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); w.work.Wait() })
	return w
}

func converse(c net.Conn, answers []string) {
	defer c.Close()
	r := bufio.NewReader(c)
	for _, answer := range answers {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		if _, err := io.WriteString(c, answer); err != nil {
			return
		}
	}
}

// sendTo makes an exchange with an endpoint.
func sendTo(t testing.TB, s Sender, address string) (Reply, error) {
	t.Helper()
	return s.Send(t.Context(), &Attempt{
		Method: http.MethodPost, URL: &url.URL{Scheme: "http", Host: address, Path: "/"},
		Header: Headers{}, Body: []byte("hello"),
	})
}

// settings are those of a service called crm.
func settings(t testing.TB, url, more string) *config.Service {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.toml")
	text := fmt.Sprintf("[[service]]\nname = \"crm\"\nurl = %q\n%s\n", url, more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(path)
	if len(problems) > 0 {
		t.Fatalf("config: %v", problems)
	}
	return &c.Services[0]
}

// until waits for a condition.
func until(t testing.TB, what string, met func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-deadline.C:
			t.Fatalf("in vain waited until %s", what)
		case <-tick.C:
		}
	}
}

// direct is the sender of a service as it is by default.
func direct(t testing.TB, more string) *directSender {
	t.Helper()
	sender, err := New(settings(t, "http://127.0.0.1/", more), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := sender.(*directSender)
	t.Cleanup(d.closeIdle)
	return d
}

const plain = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestAnswersOfEveryShape(t *testing.T) {
	for _, test := range []struct {
		name, answer string
		want         string // status and body, or a part of the error
		kept         bool   // the connection is used again
	}{
		{"with a length", plain, "200 ok", true},
		{"without a body", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", true},
		{"in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX-T: 1\r\n\r\n", "200 ok", true},
		{"in many small chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\nx\r\n", 30_000) + "0\r\n\r\n", "200 " + strings.Repeat("x", 30_000), true},
		{"to the end of the connection", "HTTP/1.0 200 OK\r\n\r\nok", "200 ok", false},
		{"and no more", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", "200 ok", false},
		{"after interim ones", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + plain, "200 ok", true},
		{"after many interim ones", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 500) + plain, "200 ok", true},
		{"after interim ones for ever", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 5000), "head is longer than 65536 bytes", false},
		{"without a body that it says it has", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", "204 ", false},
		{"with a head that cannot be read", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "200 read answer: malformed MIME header", false},
		{"with more behind it", plain + "HTTP/1.1 200 OK\r\n\r\n", "200 ok", false},
		{"longer than is read", "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + strings.Repeat("x", 70_000), "200 " + strings.Repeat("x", 64<<10), false},
		{"shorter than it says", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "read answer with status 200: unexpected EOF", false},
		{"with a head without end", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20), "200 read answer: its head is longer than 65536 bytes", false},
		{"with more fields than are read", "HTTP/1.1 200 OK\r\n" + strings.Repeat("Set-Cookie: c="+strings.Repeat("x", 200)+"\r\n", 400) + "\r\n", "200 read answer: its head is longer", false},
		{"of no HTTP", "SSH-2.0-OpenSSH_9.9\r\n\r\n", "malformed HTTP", false},
		{"none", "", "unexpected EOF", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			answers := []string{test.answer}
			if test.kept {
				answers = append(answers, plain)
			}
			w, s := newWire(t, answers...), direct(t, "")
			reply, err := sendTo(t, s, w.Addr().String())
			got := fmt.Sprintf("%d %s", reply.Status, reply.Body)
			if err != nil {
				got = fmt.Sprintf("%d %v", reply.Status, err)
			}
			if got != test.want && (err == nil || !strings.Contains(got, test.want)) {
				t.Errorf("got %.100q, want %.100q", got, test.want)
			}
			if kept := len(s.idle) == 1; kept != test.kept {
				t.Errorf("kept = %v, want %v", kept, test.kept)
			}
			if !test.kept {
				return
			}
			if reply, err := sendTo(t, s, w.Addr().String()); err != nil || string(reply.Body) != "ok" || w.conns.Load() != 1 {
				t.Errorf("the next exchange: %q, %v, over %d connections", reply.Body, err, w.conns.Load())
			}
		})
	}
}

func TestAConnectionClosedMeanwhileIsNotUsed(t *testing.T) {
	w, s := newWire(t, plain), direct(t, "") // closes after one answer
	for i := range 5 {
		if _, err := sendTo(t, s, w.Addr().String()); err != nil {
			t.Fatalf("exchange %d: %v", i+1, err)
		}
		until(t, "the end of the connection is seen", func() bool { return !s.idle[0].quiet() })
	}
	if n := w.conns.Load(); n != 5 {
		t.Errorf("%d connections for 5 exchanges, want 5", n)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	w, s := newWire(t, plain, plain), direct(t, "")
	if _, err := sendTo(t, s, w.Addr().String()); err != nil {
		t.Fatal(err)
	}
	kept := s.idle[0]
	kept.since = time.Now().Add(-idleConn)
	s.expire()
	if _, err := kept.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write on an expired connection: %v, want it closed", err)
	}
	if len(s.idle) != 0 || s.prune != nil {
		t.Error("something is still idle")
	}
}

func TestASenderThatIsReplacedKeepsNoConnection(t *testing.T) {
	w, s := newWire(t, plain, plain), direct(t, "")
	if _, err := sendTo(t, s, w.Addr().String()); err != nil {
		t.Fatal(err)
	}
	used := s.take(s.target(&url.URL{Scheme: "http", Host: w.Addr().String()}))
	s.closeIdle()
	s.put(used)
	if _, err := used.Write([]byte("x")); !errors.Is(err, net.ErrClosed) || len(s.idle) != 0 {
		t.Errorf("write on a connection that came back: %v, want it closed", err)
	}
	if _, err := sendTo(t, s, w.Addr().String()); err != nil {
		t.Errorf("an attempt that was still to be made: %v", err)
	}
}

func TestNoMoreConnectionsAreKeptThanPlaces(t *testing.T) {
	rc := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer rc.Close()
	s := direct(t, "concurrency = 2")
	var work sync.WaitGroup
	for range 16 {
		work.Go(func() {
			if _, err := sendTo(t, s, rc.Listener.Addr().String()); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if n := len(s.idle); n > 2 {
		t.Errorf("%d connections are kept, want 2", n)
	}
}

func TestAnExchangeEndsWithItsContext(t *testing.T) {
	w, s := newWire(t), direct(t, "")
	hang, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hang.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := s.Send(ctx, &Attempt{Method: "POST", URL: &url.URL{Scheme: "http", Host: hang.Addr().String()}, Header: Headers{}})
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want the context's", err)
	}
	if _, err := sendTo(t, s, w.Addr().String()); err == nil {
		t.Error("no error from an endpoint that closes at once")
	}
}

func TestAnEarlyAnswerIsRead(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = http.ReadRequest(bufio.NewReader(c)) // the head, and not the body
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	}()
	s := direct(t, "")
	reply, err := s.Send(t.Context(), &Attempt{
		Method: "POST", URL: &url.URL{Scheme: "http", Host: l.Addr().String()}, Header: Headers{}, Body: make([]byte, 200_000),
	})
	if err != nil || reply.Status != 413 {
		t.Errorf("status %d, %v; want 413", reply.Status, err)
	}
}

func TestAddressOf(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"http://a/", "a:80"}, {"https://a/", "a:443"}, {"https://a:8443/", "a:8443"}, {"http://[::1]/", "[::1]:80"}, {"http://[fe80::1%25eth0]:81/", "[fe80::1%eth0]:81"},
	} {
		u, err := url.Parse(test.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := addressOf(u); got != test.want {
			t.Errorf("addressOf(%s) = %s, want %s", test.url, got, test.want)
		}
	}
}

func TestTheEnvironmentChoosesNetHTTP(t *testing.T) {
	t.Setenv(Variable, "net/http")
	sender, err := New(settings(t, "http://127.0.0.1/", ""), nil, nil)
	if _, ok := sender.(*HTTPSender); !ok || err != nil {
		t.Errorf("the sender is a %T, %v; want that of net/http", sender, err)
	}
	t.Setenv(Variable, "")
	sender, err = New(settings(t, "http://127.0.0.1/", ""), nil, nil)
	if _, ok := sender.(*directSender); !ok || err != nil {
		t.Errorf("the sender is a %T, %v; want the exchange's own", sender, err)
	}
}
