package queuetest

import (
	"io"
	"net"
	"sync"
)

// A Wire carries connections to a server, until it is cut. It is safe for
// concurrent use.
type Wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// NewWire listens on a loopback port for connections to an address.
func NewWire(to string) (*Wire, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &Wire{listener: l, to: to, conns: map[net.Conn]bool{}}
	go w.serve()
	return w, nil
}

// Address is where the wire listens.
func (w *Wire) Address() string { return w.listener.Addr().String() }

// Close ends the wire.
func (w *Wire) Close() error {
	w.Set(true)
	return w.listener.Close()
}

func (w *Wire) serve() {
	for {
		conn, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.carry(conn)
	}
}

func (w *Wire) carry(near net.Conn) {
	defer near.Close() //nolint:errcheck // its end is all that is wanted
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer far.Close() //nolint:errcheck // likewise
	if !w.hold(near, far) {
		return
	}
	defer w.drop(near, far)
	go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
	_, _ = io.Copy(near, far)
}

func (w *Wire) hold(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.conns[c] = true
	}
	return !w.cut
}

func (w *Wire) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		delete(w.conns, c)
	}
}

// Set cuts the wire or mends it.
func (w *Wire) Set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for c := range w.conns {
		if cut {
			_ = c.Close()
		}
	}
}
