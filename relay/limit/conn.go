package limit

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// retryAfter is when a peer that was refused may come again, in seconds.
const retryAfter = 5

// Conn is a connection that has a place.
type Conn struct {
	net.Conn
	Peer   string // who is at the other end
	Denied bool   // the peer may not come in; it is to be refused

	listener *Listener
	room     *places
	entry    entry
	ahead    []byte       // of the head, not yet read by the server
	long     atomic.Int64 // bytes of it that others might want
	spoke    atomic.Bool
	out      atomic.Bool // it was given out
	proven   atomic.Bool
	once     sync.Once
}

// connKey is the key of the connection in a request's context.
type connKey struct{}

// WithConn is for [http.Server.ConnContext], so that [OfRequest] works.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, of(c))
}

// OfRequest returns the connection by which a request came; nil: it did not come
// by a [Listener].
func OfRequest(r *http.Request) *Conn {
	c, _ := r.Context().Value(connKey{}).(*Conn)
	return c
}

// of returns the connection with a place that c is, or stands on.
func of(c net.Conn) *Conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	limited, _ := c.(*Conn)
	return limited
}

// Prove says that the peer has shown that it may be here: it gives way to others
// only when its peer has more than half of all places.
func (c *Conn) Prove() {
	if c != nil && !c.proven.Swap(true) {
		c.room.prove(c)
	}
}

// Proven reports whether Prove was called.
func (c *Conn) Proven() bool { return c.proven.Load() }

// Head is what has come and was not read yet.
func (c *Conn) Head() []byte { return c.ahead }

// Skip drops the first n bytes of the head.
func (c *Conn) Skip(n int) { c.ahead = c.ahead[n:] }

// Read returns first what was read of the head.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.ahead) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.ahead)
	if c.ahead = c.ahead[n:]; len(c.ahead) == 0 {
		c.ahead = nil
		c.release()
	}
	return n, nil
}

// ReadFrom leaves it to the kernel to send a file.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// Close gives the place to the next.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.room.leave(c)
		c.release()
	})
	return err
}

// release gives back what the head took.
func (c *Conn) release() { c.listener.heads.Add(-c.long.Swap(0)) }

// displace ends a connection whose place another one has got. Its owner finds it
// closed. One that has said nothing gets the reason.
func (c *Conn) displace(refuse func(net.Conn)) {
	if !c.spoke.Load() {
		refuse(c.Conn)
	}
	_ = c.Conn.Close()
}

// hurry ends the waiting for a head.
func (c *Conn) hurry() {
	if !c.out.Load() {
		_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// Busy answers a peer that speaks HTTP that there is no place for it, without
// waiting.
func Busy(c net.Conn, body []byte) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"+
		"Retry-After: %d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", retryAfter, len(body), body)
}

// arrived reads what has come by a connection, without waiting for more.
func arrived(c net.Conn, buf []byte) []byte {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	n := 0
	_ = raw.Control(func(fd uintptr) { n, _, _ = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT) })
	return buf[:max(n, 0)]
}
