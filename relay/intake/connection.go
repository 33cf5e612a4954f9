package intake

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"callrelay/relay/limit"
	"callrelay/relay/unixsock"
)

// bound gives a listener its limits. On the socket each user has a share of its
// own; the peers of loopback are all the same.
func (s *Server) bound(inner net.Listener, local bool) *limit.Listener {
	o := limit.Options{Places: limit.Scale(MaxConnections), Refuse: s.overflow, Crowd: true, Descriptors: s.descriptors}
	if local {
		o.Peer, o.Whole, o.Crowd = s.user, whole, false
	}
	return limit.Listen(inner, o)
}

// user names the user at the other end of the socket, and says whether it may
// send events.
func (s *Server) user(c net.Conn) (name string, ok bool) {
	id, err := unixsock.PeerUID(c)
	name = strconv.FormatUint(uint64(id), 10)
	users := s.table().Config.Intake.AllowUsers
	return name, len(users) == 0 || err == nil && allowed(name, users)
}

// whole reports whether what has come on the socket shows the protocol, and for
// HTTP all of a head.
func whole(head []byte) bool { return isLine(head) || limit.WholeHead(skipSpace(head)) }

// isLine reports whether the first byte that is not white space is that of an
// event.
func isLine(head []byte) bool { return bytes.HasPrefix(skipSpace(head), []byte("{")) }

func skipSpace(head []byte) []byte { return bytes.TrimLeft(head, " \t\r\n") }

// serveSocket serves one connection to the socket until it ends, unless it
// speaks HTTP and is handed over.
func (s *Server) serveSocket(ctx context.Context, c *limit.Conn) {
	line := isLine(c.Head())
	if rest := skipSpace(c.Head()); !line && len(rest) > 0 {
		c.Skip(len(c.Head()) - len(rest))
		s.feed.put(c)
		return
	}
	defer func() { _ = c.Close() }()
	switch {
	case !line: // it ended before it said anything
	case c.Denied:
		s.refuse(errForbidden)
		_, _ = c.Write(appendRefusal(nil, errForbidden))
	case s.lines.add(c):
		lineIntake{s}.serveLines(ctx, c)
		s.lines.remove(c)
	}
}

// connections are those that are ended when the relay stops.
type connections struct {
	stops atomic.Bool
	mu    sync.Mutex
	open  map[*limit.Conn]struct{}
}

// add returns false when the relay stops already.
func (s *connections) add(c *limit.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stops.Load() {
		s.open[c] = struct{}{}
	}
	return !s.stops.Load()
}

func (s *connections) remove(c *limit.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// stop takes nothing more from them and gives them a time for their answers.
func (s *connections) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops.Store(true)
	for c := range s.open {
		_ = c.SetReadDeadline(longAgo)
		_ = c.SetWriteDeadline(time.Now().Add(drainTimeout))
	}
}

// longAgo ends what is read or written now.
var longAgo = time.Unix(1, 0)

// overflow refuses a connection beyond the limit, without ever waiting for it.
// A peer that has not spoken yet is taken to speak HTTP.
func (s *Server) overflow(c net.Conn, sent []byte) {
	s.refuse(errConnections)
	line := appendRefusal(nil, errConnections)
	if isLine(sent) {
		_, _ = c.Write(line)
		return
	}
	limit.Busy(c, line)
}

// feed is a listener over connections that were accepted elsewhere.
type feed struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newFeed(addr net.Addr) *feed {
	return &feed{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// put hands a connection over, or closes it when nobody takes any more.
func (f *feed) put(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.closed:
		_ = c.Close()
	}
}

func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

func (f *feed) Addr() net.Addr { return f.addr }
