package exchange

import (
	"context"
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// quiet reports whether an idle connection has nothing to read, not even its
// end.
func (l *connection) quiet() bool {
	if l.raw == nil {
		return false
	}
	quiet := false
	err := l.raw.Read(func(fd uintptr) bool {
		quiet = quietSocket(fd)
		return true
	})
	return err == nil && quiet
}

func quietSocket(fd uintptr) bool {
	var one [1]byte
	_, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return errors.Is(err, unix.EAGAIN)
}

// noLeftover reports whether nothing was left behind an answer. What came over TLS
// may have been read already, together with the answer, so that quiet cannot see
// it: more of an answer, another one, or the end.
func (l *connection) noLeftover() bool {
	if !l.secured {
		return true
	}
	if l.SetDeadline(past) != nil {
		return false
	}
	n, err := l.Conn.Read(l.in[:1])
	return n == 0 && TimedOut(err)
}

// TimedOut reports whether an exchange ran out of time.
func TimedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}
