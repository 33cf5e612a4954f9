package exchange

import (
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pulse ends an upload that stands still: for so long no byte of it was handed
// to the connection, and none of those in the kernel's hands has arrived.
type pulse struct {
	sent    atomic.Int64 // bytes handed to the connection
	raw     atomic.Pointer[syscall.RawConn]
	stalled atomic.Bool
}

// follow has the pulse felt at a TCP connection, be it below TLS.
func (p *pulse) follow(conn net.Conn) {
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn()
	}
	if tcp, ok := conn.(syscall.Conn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			p.raw.Store(&raw)
		}
	}
}

// moved is a number that grows while bytes move.
func (p *pulse) moved() int64 {
	n := p.sent.Load()
	if raw := p.raw.Load(); raw != nil {
		_ = (*raw).Control(func(fd uintptr) {
			if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
				n += int64(info.Bytes_acked)
			}
		})
	}
	return n
}

// feel calls end once nothing has moved for idle, until stop is called.
func (p *pulse) feel(idle time.Duration, end func()) (stop func()) {
	const looks = 8 // within idle
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(max(idle/looks, time.Millisecond))
		defer tick.Stop()
		last, since := p.moved(), time.Now()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if now := p.moved(); now != last {
				last, since = now, time.Now()
			} else if time.Since(since) >= idle {
				p.stalled.Store(true)
				end()
				return
			}
		}
	}()
	return func() { close(over); <-done }
}
