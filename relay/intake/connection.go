package intake

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readBuffer is how much is read from the socket at a time, in bytes.
const readBuffer = 8 << 10

// serveSocket serves one connection to the socket until it ends, or until it
// is found to speak HTTP and handed over.
func (s *Server) serveSocket(c *conn) {
	c.local = true
	c.denied = !allowed(c.Conn, s.table().Config.Intake.AllowUsers)
	if !s.track(c) {
		_ = c.Close()
		return
	}
	r := bufio.NewReaderSize(c.Conn, readBuffer)
	first, err := firstByte(r)
	switch {
	case err != nil:
	case first != '{':
		s.untrack(c)
		c.ahead = r
		s.feed.put(c)
		return
	case c.denied:
		s.refuse(errForbidden)
		_, _ = c.Write(appendRefusal(nil, errForbidden))
	default:
		s.serveLines(c, r)
	}
	s.untrack(c)
	_ = c.Close()
}

// firstByte waits for the first byte that is not white space and leaves it
// unread.
func firstByte(r *bufio.Reader) (byte, error) {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		if !space(c) {
			return c, r.UnreadByte()
		}
	}
}

func space(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n'
}

// track remembers a connection that has to be told when the relay stops. It
// returns false when the relay stops already.
func (s *Server) track(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stops {
		s.open[c] = struct{}{}
	}
	return !s.stops
}

func (s *Server) untrack(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// stopReading takes nothing more from the connections to the socket and gives
// them a time for their answers.
func (s *Server) stopReading() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = true
	for c := range s.open {
		_ = c.SetReadDeadline(time.Unix(1, 0))
		_ = c.SetWriteDeadline(time.Now().Add(drainTimeout))
	}
}

// overflow tells a connection beyond the limit so and closes it, without ever
// waiting for it. A peer that has not spoken yet is taken to speak HTTP.
func (s *Server) overflow(c net.Conn) {
	s.refuse(errConnections)
	ahead := peek(c)
	line := appendRefusal(nil, errConnections)
	if text := bytes.TrimLeft(ahead, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		_, _ = c.Write(line)
	} else {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"+
			"Retry-After: %d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", retryAfter, len(line), line)
	}
	_ = c.Close()
}

// peek takes what has arrived, without waiting for more. Taking it keeps the
// close from looking like a failure to the peer.
func peek(c net.Conn) []byte {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	buf := make([]byte, readBuffer)
	n := 0
	_ = raw.Control(func(fd uintptr) {
		n, _, _ = unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT)
	})
	return buf[:max(n, 0)]
}
