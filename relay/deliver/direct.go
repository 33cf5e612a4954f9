package deliver

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// directSender is the [Sender] of services without a proxy. It writes a request
// and reads its answer in the goroutine of the attempt, where the Transport of
// net/http has two more for each connection: that halves what an exchange costs.
// The bytes are net/http's own, by [http.Request.Write] and [http.ReadResponse].
// A request is written once: nothing is repeated behind the queue's back.
type directSender struct {
	dialer      *net.Dialer
	tls         *tls.Config
	maxResponse int64
	keep        int // idle connections at most

	mu    sync.Mutex
	idle  []*line     // the one used last at the end
	prune *time.Timer // nil: nothing is idle
}

// line is a connection to an endpoint that is kept between exchanges.
type line struct {
	net.Conn
	raw     syscall.RawConn // of the TCP connection
	address string
	in      io.LimitedReader // bounds the head of an answer
	r       *bufio.Reader
	w       *bufio.Writer
	since   time.Time // when it became idle
}

// maxInterim is how many interim answers (1xx) may come before the real one.
const maxInterim = 5

// Send implements [Sender], as [HTTPSender] does.
func (s *directSender) Send(ctx context.Context, a *Attempt) (Reply, error) {
	l, err := s.connect(ctx, a.URL)
	if err != nil {
		return Reply{}, err
	}
	reply, alive, err := l.exchange(ctx, a, s.maxResponse)
	if alive {
		s.put(l)
	} else {
		_ = l.Close()
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return reply, err
}

func (s *directSender) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(len(s.idle))
}

// connect returns a connection to where a URL points, an idle one if there is.
func (s *directSender) connect(ctx context.Context, u *url.URL) (*line, error) {
	address := addressOf(u)
	for l := s.take(address); l != nil; l = s.take(address) {
		if l.quiet() { // else the endpoint has closed it
			return l, nil
		}
		_ = l.Close()
	}
	conn, err := s.dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, address: address}
	if tcp, ok := conn.(syscall.Conn); ok {
		l.raw, _ = tcp.SyscallConn()
	}
	if u.Scheme == "https" {
		if l.Conn, err = s.secure(ctx, conn, u.Hostname()); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	l.in.R = l.Conn
	l.r, l.w = bufio.NewReader(&l.in), bufio.NewWriter(l.Conn)
	return l, nil
}

func (s *directSender) secure(ctx context.Context, conn net.Conn, host string) (net.Conn, error) {
	settings := s.tls
	if settings.ServerName == "" {
		settings = settings.Clone()
		settings.ServerName = host
	}
	secured := tls.Client(conn, settings)
	return secured, secured.HandshakeContext(ctx)
}

// take returns the idle connection used last, or nil.
func (s *directSender) take(address string) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range slices.Backward(s.idle) {
		if l.address == address {
			s.idle = slices.Delete(s.idle, i, i+1)
			return l
		}
	}
	return nil
}

// put keeps a connection for the next exchange.
func (s *directSender) put(l *line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.since = time.Now()
	s.idle = append(s.idle, l)
	if len(s.idle) > s.keep {
		s.drop(1)
	}
	if s.prune == nil {
		s.prune = time.AfterFunc(idleConn, s.expire)
	}
}

// expire closes what has been idle for long, and comes back for the rest.
func (s *directSender) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := 0
	for old < len(s.idle) && time.Since(s.idle[old].since) >= idleConn {
		old++
	}
	s.drop(old)
	s.prune = nil
	if len(s.idle) > 0 {
		s.prune = time.AfterFunc(idleConn-time.Since(s.idle[0].since), s.expire)
	}
}

// drop closes the first n of the idle connections.
func (s *directSender) drop(n int) {
	for _, l := range s.idle[:n] {
		_ = l.Close()
	}
	s.idle = slices.Delete(s.idle, 0, n)
}

// exchange writes an attempt and reads the answer. The connection is alive when
// the next attempt can use it.
func (l *line) exchange(ctx context.Context, a *Attempt, limit int64) (reply Reply, alive bool, err error) {
	interrupt := context.AfterFunc(ctx, func() { _ = l.SetDeadline(time.Unix(1, 0)) })
	request := a.request(ctx)
	l.in.N = maxHeaderBytes
	unsent := request.Write(l.w)
	if unsent == nil {
		unsent = l.w.Flush()
	}
	resp, err := l.answer(request) // an endpoint may answer before it has read all
	if err != nil {
		if unsent != nil {
			err = unsent
		}
		interrupt()
		return Reply{}, false, err
	}
	l.in.N = math.MaxInt64 // readAnswer has its own limit, without what chunks cost
	reply = Reply{Status: resp.StatusCode, Header: resp.Header}
	reply.Body, reply.Cut, err = readAnswer(resp, limit)
	if err != nil {
		err = fmt.Errorf("read answer with status %d: %w", reply.Status, err)
	}
	alive = interrupt() && err == nil && unsent == nil && !reply.Cut && !resp.Close &&
		resp.StatusCode >= http.StatusOK && l.r.Buffered() == 0
	return reply, alive, err
}

// answer reads the head of an answer, passing over interim ones.
func (l *line) answer(r *http.Request) (*http.Response, error) {
	for range maxInterim {
		resp, err := http.ReadResponse(l.r, r)
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		if resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
	return nil, fmt.Errorf("read answer: more than %d interim ones", maxInterim)
}

// quiet reports whether an idle connection has nothing to read, not even its
// end.
func (l *line) quiet() bool {
	if l.raw == nil {
		return false
	}
	var one [1]byte
	quiet := false
	err := l.raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN || err == unix.EWOULDBLOCK
		return true
	})
	return err == nil && quiet
}

// addressOf is the host and port that a URL points at.
func addressOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return net.JoinHostPort(u.Hostname(), port)
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
