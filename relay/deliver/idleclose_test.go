package deliver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// idler is an endpoint that closes a connection so long after each answer
// without having said so, by FIN or by RST, whether a request came meanwhile or
// not. It counts the requests that it read.
type idler struct {
	net.Listener
	pause time.Duration
	reset bool
	work  sync.WaitGroup

	mu   sync.Mutex
	read map[string]int // by id
}

func newIdler(t testing.TB, pause time.Duration, reset bool) *idler {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &idler{Listener: l, pause: pause, reset: reset, read: map[string]int{}}
	e.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.work.Go(func() { e.serve(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); e.work.Wait() })
	return e
}

func (e *idler) serve(c *net.TCPConn) {
	if e.reset {
		_ = c.SetLinger(0)
	}
	defer c.Close() //nolint:errcheck // the end is the point
	for r := bufio.NewReader(c); ; {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		e.mu.Lock()
		e.read[req.Header.Get("Webhook-Id")]++
		e.mu.Unlock()
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil || e.pause == 0 {
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(e.pause))
	}
}

// An endpoint that closes idle connections is well: its events arrive at the
// first attempt, and what is sent twice it had read.
func TestAnEndpointThatClosesIdleConnectionsIsWell(t *testing.T) {
	for _, pause := range []time.Duration{0, 2 * time.Millisecond, 50 * time.Millisecond, 500 * time.Millisecond} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %s, reset %v", pause, reset), func(t *testing.T) {
				t.Parallel()
				e := newIdler(t, pause, reset)
				r := rigged(t, service("crm", "http://"+e.Addr().String()+"/", ""))
				const events = 60
				tick := time.NewTicker(10 * time.Millisecond)
				defer tick.Stop()
				for _, id := range names("e", events) {
					r.owe("crm", id)
					<-tick.C
				}
				r.until("all are delivered", func() bool { return r.status("crm").Delivered == events })
				if s := r.status("crm"); s.Breaker != BreakerClosed {
					t.Errorf("breaker %s", s.Breaker)
				}
				if v, _ := r.metric(`relay_attempts_total{class="connect",service="crm"}`); v != 0 {
					t.Errorf("%v attempts failed", v)
				}
				e.mu.Lock()
				defer e.mu.Unlock()
				if len(e.read) != events {
					t.Errorf("%d of %d events read", len(e.read), events)
				}
			})
		}
	}
}
