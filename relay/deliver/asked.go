package deliver

import (
	"maps"
	"time"
)

// maxAsked bounds how many Retry-After times a service's runner remembers.
const maxAsked = 16 << 10

// asked remembers when endpoints want to see deliveries again that wait longer
// than that: when the breaker closes they come due early, but not before. It is
// in memory only, and not safe for concurrent use.
type asked map[string]time.Time

// note remembers the time for a delivery, if there is room.
func (a asked) note(id string, at time.Time) bool {
	if len(a) >= maxAsked {
		return false
	}
	a[id] = at
	return true
}

// wait is how long a delivery still has to wait; 0: it may be attempted, and
// what was asked is forgotten.
func (a asked) wait(id string, now time.Time) time.Duration {
	at, ok := a[id]
	if !ok {
		return 0
	}
	if !now.Before(at) {
		delete(a, id)
		return 0
	}
	return at.Sub(now)
}

// forget drops what is past.
func (a asked) forget(now time.Time) {
	maps.DeleteFunc(a, func(_ string, at time.Time) bool { return !now.Before(at) })
}
