package intake

import (
	"strings"
	"sync"
	"time"

	"callrelay/relay/call"
)

// Unbound is what came of events that no binding matches. They are accepted
// and not stored: a misspelt queue in a binding would be seen nowhere else.
type Unbound struct {
	Count int       // since the start
	Event string    // the latest one's name
	Scope string    // and what it happened at, in one word and a name; empty: nothing
	At    time.Time // when it came; zero: there was none
}

// unbound keeps [Unbound]. Safe for concurrent use.
type unbound struct {
	mu   sync.Mutex
	last Unbound
}

func (u *unbound) add(event, scope string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = Unbound{u.last.Count + 1, event, scope, time.Now()}
}

// Unbound returns what came of events that no binding matches.
func (s *Server) Unbound() Unbound {
	s.unbound.mu.Lock()
	defer s.unbound.mu.Unlock()
	return s.unbound.last
}

// forNobody notes an event that is owed to no service. Operational events are
// not meant: nobody has to bind them.
func (s *Server) forNobody(e *call.Event) {
	if call.Operational(e.Name) {
		return
	}
	s.metrics.unbound.of(e.Name).Inc()
	// The texts are parts of the event's, which must not be kept alive.
	s.unbound.add(strings.Clone(e.Name), strings.Clone(scope(e)))
}
