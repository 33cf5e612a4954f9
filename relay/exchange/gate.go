package exchange

import (
	"errors"
	"sync"
)

// ErrRetired means that an attempt was not made because its sender is not to be
// used any more.
var ErrRetired = errors.New("the service was configured anew")

// gate is what requests pass as they are written, until it is closed: then none
// is written any more, not even the rest of one. The zero value is open. Safe
// for concurrent use.
type gate struct {
	mu      sync.RWMutex
	closed  bool
	writing map[*connection]struct{} // what is written outside the lock: it may take long
	work    sync.WaitGroup
}

// enter has a write that does not block pass; leave ends it.
func (g *gate) enter() bool {
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return false
	}
	return true
}

func (g *gate) leave() { g.mu.RUnlock() }

// begin has a write pass that may block; end ends it, and reports whether the
// gate was closed meanwhile.
func (g *gate) begin(l *connection) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	if g.writing == nil {
		g.writing = map[*connection]struct{}{}
	}
	g.writing[l] = struct{}{}
	g.work.Add(1)
	return true
}

func (g *gate) end(l *connection) (closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.writing, l)
	g.work.Done()
	return g.closed
}

// close returns when nothing is written any more.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	for l := range g.writing {
		_ = l.SetWriteDeadline(past)
	}
	g.mu.Unlock()
	g.work.Wait()
}
