package limit

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a connection that has not shown yet what it wants.
const (
	Silence   = 10 * time.Second // to send the head of a request
	HeadBytes = 16 << 10         // of a head; what is longer is for the server to refuse
	freeHead  = 1 << 10          // bytes of a head that every connection may have
	longHeads = 1 << 20          // bytes that all heads may have beyond that
	maxPorch  = 64               // connections of peers that may not come in
	maxPause  = time.Second      // after a failed accept
)

// Options are what a [Listener] needs besides the listener that it stands on.
// The zero value of each works, but for Places.
type Options struct {
	Places int // for connections at a time, see [Scale]

	// Peer says who is at the other end, and whether it may come in at all. Nil:
	// its address, and it may.
	Peer func(net.Conn) (name string, ok bool)
	// Whole reports whether a server can begin with what has come. Nil: at the
	// end of an HTTP head.
	Whole func(head []byte) bool
	// Refuse answers a peer for which there is no place, given what it has sent
	// already. It must not wait, nor keep that. Nil: the peer gets 503.
	Refuse func(c net.Conn, sent []byte)

	// Crowd says that peers cannot be distinguished well enough for each to have
	// its own share: a newcomer then takes the place of the connection of its own
	// peer that has gone longest without showing that it may be here. Else it is
	// refused when its peer has more places than any other.
	Crowd bool

	Descriptors *Descriptors // notified when there are none left; nil: nobody is
}

// Listener gives out connections, each a [*Conn], once a whole head has come by
// them. It is safe for concurrent use.
type Listener struct {
	net.Listener
	o           Options
	ready       chan *Conn
	closed      chan struct{}
	start, stop sync.Once
	running     sync.WaitGroup
	room, porch *places
	heads       atomic.Int64 // bytes beyond freeHead
}

// Listen bounds the connections that come by inner. It takes none before the
// first Accept.
func Listen(inner net.Listener, o Options) *Listener {
	if o.Whole == nil {
		o.Whole = WholeHead
	}
	if o.Refuse == nil {
		o.Refuse = func(c net.Conn, _ []byte) { Busy(c, []byte("too many connections\n")) }
	}
	if o.Peer == nil {
		o.Peer = func(c net.Conn) (string, bool) { return Address(c.RemoteAddr().String()).String(), true }
	}
	return &Listener{
		Listener: inner, o: o, ready: make(chan *Conn), closed: make(chan struct{}),
		room: newPlaces(o.Places, o.Crowd), porch: newPlaces(maxPorch, true),
	}
}

// Accept returns the next connection. It fails only when the listener is closed.
func (l *Listener) Accept() (net.Conn, error) {
	l.start.Do(func() { l.running.Go(l.run) })
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close stops listening, and lets go those that were not given out. It may be
// called more than once.
func (l *Listener) Close() (err error) {
	l.start.Do(func() {}) // an Accept that comes later starts nothing that nobody waits for
	l.stop.Do(func() {
		close(l.closed)
		err = l.Listener.Close()
		l.room.each((*Conn).hurry)
		l.porch.each((*Conn).hurry)
	})
	l.running.Wait()
	return err
}

// run takes connections until the listener is closed.
func (l *Listener) run() {
	pause := 5 * time.Millisecond
	for {
		c, err := l.Listener.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			l.admit(c)
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		l.o.Descriptors.Note(err)
		select {
		case <-l.closed:
			return
		case <-time.After(pause):
			pause = min(2*pause, maxPause)
		}
	}
}

// admit finds a place for a connection and waits for its head, or refuses it.
func (l *Listener) admit(inner net.Conn) {
	c := &Conn{Conn: inner, listener: l, room: l.room}
	var ok bool
	if c.Peer, ok = l.o.Peer(inner); !ok {
		c.Denied, c.room = true, l.porch
	}
	_ = inner.SetReadDeadline(time.Now().Add(Silence))
	victim, ok := c.room.enter(c)
	if victim != nil {
		victim.displace(l.refuse)
	}
	if !ok {
		l.refuse(inner)
		_ = inner.Close()
		return
	}
	l.running.Go(func() { l.await(c) })
}

// sent are buffers for what peers have sent that are refused, who may be many.
var sent = sync.Pool{New: func() any { return new([4 << 10]byte) }}

// refuse answers a peer for which there is no place. Taking what it has sent
// keeps the close from looking like a failure to it.
func (l *Listener) refuse(c net.Conn) {
	buf := sent.Get().(*[4 << 10]byte)
	defer sent.Put(buf)
	l.o.Refuse(c, arrived(c, buf[:]))
}

// await gives a connection out once its head has come whole, or has become too
// long, or the peer will send no more.
func (l *Listener) await(c *Conn) {
	select {
	case <-l.closed: // too late to be hurried
		c.hurry()
	default:
	}
	head := make([]byte, 0, freeHead/2)
	for {
		n, err := c.Conn.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		c.spoke.Store(len(head) > 0)
		if l.o.Whole(head) || len(head) >= HeadBytes || errors.Is(err, io.EOF) && len(head) > 0 {
			break
		}
		if err == nil && len(head) == cap(head) {
			if head = l.grow(c, head); head == nil {
				l.refuse(c.Conn)
				err = net.ErrClosed
			}
		}
		if err != nil {
			_ = c.Close()
			return
		}
	}
	c.out.Store(true)
	_ = c.Conn.SetReadDeadline(time.Time{})
	c.ahead = head
	select {
	case l.ready <- c:
	case <-l.closed:
		_ = c.Close()
	}
}

// grow doubles the room for a head, or returns nil when all of them together
// are too long.
func (l *Listener) grow(c *Conn, head []byte) []byte {
	size := min(2*cap(head), HeadBytes)
	if size > freeHead {
		more := int64(size - max(cap(head), freeHead))
		if l.heads.Add(more) > longHeads {
			l.heads.Add(-more)
			return nil
		}
		c.long.Add(more)
	}
	return append(make([]byte, 0, size), head...)
}

// WholeHead reports whether an HTTP request has come up to its empty line.
func WholeHead(head []byte) bool {
	return bytes.Contains(head, []byte("\n\r\n")) || bytes.Contains(head, []byte("\n\n"))
}
