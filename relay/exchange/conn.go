package exchange

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"
)

// oneWrite is the longest body that is written together with its head.
const oneWrite = 64 << 10

// A connection is used so often and for so long at the most, so that a name that
// moved, or a balancer that grew, is noticed by a busy service, too.
const (
	connUses = 1000
	connAge  = time.Minute
)

// unanswered is why a connection ended without a byte of an answer.
type unanswered struct{ error }

// Unwrap returns the reason.
func (e unanswered) Unwrap() error { return e.error }

func isUnanswered(err error) bool {
	_, ok := errors.AsType[unanswered](err)
	return ok
}

// errStale means that an idle connection was closed by the endpoint: nothing was
// written to it.
var errStale = errors.New("connection closed meanwhile")

// past is a deadline that interrupts.
var past = time.Unix(1, 0)

// connection is one to an endpoint that is kept between exchanges. It belongs
// to one goroutine at a time.
type connection struct {
	net.Conn
	raw     syscall.RawConn // of the TCP connection; nil: it cannot be looked at
	secured bool
	key     string // of the targets that it leads to
	gate    *gate
	pace    *rate.Limiter // of uploads; nil: as fast as it goes
	opened  time.Time
	uses    int
	since   time.Time // when it became idle; zero: it was not yet

	out     []byte // the request
	uploads bool   // it is being written, by an upload
	in      [4096]byte
	step    func(fd uintptr) bool // l.turn
	turn    turn

	watched context.Context // whose end interrupts the exchange
	unwatch func() bool

	rest io.LimitedReader // what is read after in
	slow *bufio.Reader    // reads what is no plain answer; nil: none came yet
}

// turn is how far an exchange over a TCP connection is.
type turn struct {
	written int
	begun   bool
	stale   bool
	retired bool
	unsent  error
	n       int // bytes of the answer
	err     error
}

func newConnection(conn net.Conn, key string, g *gate) *connection {
	l := &connection{Conn: conn, key: key, gate: g, opened: time.Now()}
	l.step = l.roundTripRaw
	if tcp, ok := conn.(syscall.Conn); ok {
		l.raw, _ = tcp.SyscallConn()
	}
	return l
}

// Close ends the connection.
func (l *connection) Close() error {
	if l.unwatch != nil {
		l.unwatch()
	}
	return l.Conn.Close()
}

// abort ends the connection at once. Close has a last word for an endpoint over
// TLS, which takes five seconds where that reads nothing any more.
func (l *connection) abort() {
	if secured, ok := l.Conn.(*tls.Conn); ok {
		_ = secured.NetConn().Close()
	}
	_ = l.Close()
}

// exchange writes an attempt and reads the answer. The connection is alive when
// the next attempt can use it. After errStale the attempt was not made.
func (l *connection) exchange(ctx context.Context, a *Attempt, t *target, limit int64) (reply Reply, alive bool, err error) {
	if a.Idle > 0 {
		return l.upload(ctx, a, t, limit)
	}
	if err := l.watch(ctx, a.deadline(ctx)); err != nil {
		return Reply{}, false, err
	}
	l.out = appendHead(l.out[:0], a, t)
	var body []byte
	if len(a.Body) <= oneWrite {
		l.out = append(l.out, a.Body...)
	} else {
		body = a.Body
	}
	n, unsent, err := l.call(body)
	if err == nil {
		if reply, alive = readPlain(l.in[:n], a.Method, limit); !alive {
			reply, alive, err = l.read(n, a.Method, limit)
		}
		return reply, alive && unsent == nil && ctx.Err() == nil && l.noLeftover(), err
	}
	if unsent != nil && !IsTLS(err) { // TLS says why, where it does
		err = unanswered{unsent}
	}
	return Reply{}, false, err
}

// watch has the exchange end at a deadline, or when ctx does. Attempts of one
// service mostly have the same context, so that this costs little. A connection
// that the end of an earlier context has reached is of no use any more.
func (l *connection) watch(ctx context.Context, deadline time.Time) error {
	if l.watched != ctx {
		if l.unwatch != nil && !l.unwatch() {
			return errStale
		}
		l.watched = ctx
		l.unwatch = context.AfterFunc(ctx, func() { _ = l.SetDeadline(past) })
	}
	if err := l.SetDeadline(deadline); err != nil {
		return err
	}
	return ctx.Err() // it may have ended before the deadline was set
}

// call writes the request, with what does not stand in l.out, and waits for the
// beginning of the answer, n bytes of l.in. An endpoint may answer before it has
// read all; unsent is why it did not get all.
func (l *connection) call(body []byte) (n int, unsent, err error) {
	if l.raw == nil || l.secured || len(body) > 0 {
		if !l.since.IsZero() && !l.quiet() {
			return 0, nil, errStale
		}
		return l.roundTripSlow(l.out, body)
	}
	l.turn = turn{}
	err = l.raw.Read(l.step)
	switch t := &l.turn; {
	case t.stale:
		return 0, nil, errStale
	case t.retired:
		return 0, nil, ErrRetired
	case err != nil:
		return 0, nil, unread(err)
	case t.unsent != nil:
		n, _, err = l.roundTripSlow(nil, nil)
		return n, t.unsent, err
	case t.written < len(l.out):
		return l.roundTripSlow(l.out[t.written:], nil)
	case t.err != nil:
		return 0, nil, unread(t.err)
	case t.n == 0:
		return 0, nil, unread(io.ErrUnexpectedEOF)
	default:
		return t.n, nil, nil
	}
}

func unread(err error) error { return unanswered{fmt.Errorf("read answer: %w", err)} }

// roundTripRaw writes when it is called first, and then reads when there is
// something: so an exchange takes two calls of the kernel and one wait. The
// runtime begins to listen before the first call, and misses no answer. What a
// new connection brought before that it would report no more: it is read.
func (l *connection) roundTripRaw(fd uintptr) (over bool) {
	t := &l.turn
	if !t.begun {
		t.begun = true
		if t.stale = !l.since.IsZero() && !quietSocket(fd); t.stale {
			return true
		}
		if t.retired = !l.gate.enter(); t.retired {
			return true
		}
		t.written, t.unsent = unix.Write(int(fd), l.out)
		l.gate.leave()
		t.written = max(t.written, 0)
		if errors.Is(t.unsent, unix.EAGAIN) || errors.Is(t.unsent, unix.EINTR) {
			t.unsent = nil
		}
		if t.written < len(l.out) || !l.since.IsZero() {
			return t.written < len(l.out)
		}
	}
	for {
		t.n, t.err = unix.Read(int(fd), l.in[:])
		switch {
		case errors.Is(t.err, unix.EINTR):
			continue
		case errors.Is(t.err, unix.EAGAIN):
			return false
		}
		return true
	}
}

// roundTripSlow writes what is left and reads, through the connection's own methods.
func (l *connection) roundTripSlow(head, body []byte) (n int, unsent, err error) {
	if len(head)+len(body) > 0 {
		if !l.gate.begin(l) {
			return 0, nil, ErrRetired
		}
		_, unsent = (&net.Buffers{head, body}).WriteTo(l.Conn)
		if l.gate.end(l) && unsent != nil {
			return 0, nil, ErrRetired
		}
	}
	n, err = l.begin()
	return n, unsent, err
}

// begin reads the beginning of an answer into l.in.
func (l *connection) begin() (n int, err error) {
	n, err = l.Conn.Read(l.in[:])
	if n > 0 {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, unread(err)
}
