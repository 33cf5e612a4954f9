package intake

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// maxPause bounds the pause after a failed accept, for example when the process
// has no file descriptors left.
const maxPause = time.Second

// listener admits [MaxConnections] connections at a time.
type listener struct {
	net.Listener
	overflow func(net.Conn) // told of connections beyond that
	open     atomic.Int64
	closed   chan struct{}
	once     sync.Once
}

func newListener(inner net.Listener, overflow func(net.Conn)) *listener {
	return &listener{Listener: inner, overflow: overflow, closed: make(chan struct{})}
}

// Accept returns the next connection that is admitted, a [*conn]. It fails only
// when the listener is closed.
func (l *listener) Accept() (net.Conn, error) {
	pause := 5 * time.Millisecond
	for {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			select {
			case <-l.closed:
				return nil, net.ErrClosed
			case <-time.After(pause):
				pause = min(2*pause, maxPause)
				continue
			}
		}
		if l.open.Add(1) > MaxConnections {
			l.open.Add(-1)
			l.overflow(c)
			continue
		}
		return &conn{Conn: c, release: func() { l.open.Add(-1) }}, nil
	}
}

// Close stops listening. It may be called more than once.
func (l *listener) Close() (err error) {
	l.once.Do(func() {
		close(l.closed)
		err = l.Listener.Close()
	})
	return err
}

// conn is an admitted connection.
type conn struct {
	net.Conn
	ahead   *bufio.Reader // what was read to tell the protocol; nil: nothing
	denied  bool          // the peer is not one of allow_users
	local   bool          // it came in by the socket
	release func()
	once    sync.Once
}

// Read returns first what was read ahead.
func (c *conn) Read(p []byte) (int, error) {
	if c.ahead != nil {
		if c.ahead.Buffered() > 0 {
			return c.ahead.Read(p)
		}
		c.ahead = nil
	}
	return c.Conn.Read(p)
}

// Close gives the connection's place to the next.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.release)
	return err
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
