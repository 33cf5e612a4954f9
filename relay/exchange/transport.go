package exchange

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// directSender is the [Sender] of services without a proxy. It writes a request
// and reads its answer in the goroutine of the attempt, where the Transport of
// net/http has two more for each connection, and reads the usual answer itself:
// that makes an exchange cost a third. What is not usual is read by net/http.
// A request is written twice only where a connection that was used before ends
// without a byte of an answer: the endpoint had let it go.
type directSender struct {
	dialer      *net.Dialer
	tls         *tls.Config
	maxResponse int64
	keep        int           // idle connections at most
	once        bool          // each connection ends after its answer
	gate        gate          // through which requests go out
	pace        *rate.Limiter // of uploads; nil: none

	last atomic.Pointer[target] // the one used last: mostly all are the same

	mu    sync.Mutex
	idle  []*connection // the one used last at the end
	prune *time.Timer   // nil: nothing is idle
}

// Send implements [Sender], as [HTTPSender] does.
func (s *directSender) Send(ctx context.Context, a *Attempt) (Reply, error) {
	t := s.target(a.URL)
	for {
		l := s.take(t)
		reused := l != nil
		if !reused {
			var err error
			if l, err = s.connect(ctx, a, t); err != nil {
				return Reply{}, err
			}
		}
		reply, err := s.over(ctx, l, a, t)
		switch {
		case errors.Is(err, errStale):
			continue
		case reused && isUnanswered(err) && !TimedOut(err) && ctx.Err() == nil:
			if l, err = s.connect(ctx, a, t); err == nil {
				reply, err = s.over(ctx, l, a, t)
			}
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		return reply, err
	}
}

// over makes the exchange over a connection, which it keeps or closes.
func (s *directSender) over(ctx context.Context, l *connection, a *Attempt, t *target) (Reply, error) {
	reply, alive, err := l.exchange(ctx, a, t, s.maxResponse)
	l.uses++
	switch {
	case alive && !s.once && l.uses < connUses && time.Since(l.opened) < connAge:
		s.put(l)
	case err == nil:
		_ = l.Close()
	default:
		l.abort()
	}
	return reply, err
}

func (s *directSender) target(u *url.URL) *target {
	if t := s.last.Load(); t != nil && t.url == u {
		return t
	}
	t := newTarget(u, s.once)
	s.last.Store(t)
	return t
}

// closeIdle also has the connections closed that are in use, after that: it is
// called when another sender takes over.
func (s *directSender) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep = 0
	s.drop(len(s.idle))
}

// retire closes the gate: what is not written yet never is, and an attempt that
// is still to be made ends with [ErrRetired].
func (s *directSender) retire() {
	s.closeIdle()
	s.gate.close()
}

// connect opens a connection to a target.
func (s *directSender) connect(ctx context.Context, a *Attempt, t *target) (*connection, error) {
	ctx, cancel := a.within(ctx)
	defer cancel()
	conn, err := s.dialer.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	l := newConnection(conn, t.key, &s.gate)
	l.pace = s.pace
	if t.url.Scheme == "https" {
		if l.Conn, err = s.secure(ctx, conn, t.url.Hostname()); err != nil {
			_ = conn.Close()
			return nil, err
		}
		l.secured = true
	}
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

// take returns the idle connection used last that leads to a target, or nil.
func (s *directSender) take(t *target) *connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range slices.Backward(s.idle) {
		if l.key == t.key {
			s.idle = slices.Delete(s.idle, i, i+1)
			return l
		}
	}
	return nil
}

// put keeps a connection for the next exchange.
func (s *directSender) put(l *connection) {
	if cap(l.out) > 2*oneWrite {
		l.out = nil // hardly ever is a head as long again
	}
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

// addressOf is the host and port that a URL points at.
func addressOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return net.JoinHostPort(u.Hostname(), port)
	}
	return net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
