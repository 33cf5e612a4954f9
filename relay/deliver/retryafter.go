package deliver

import (
	"maps"
	"sync"
	"sync/atomic"
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

// recently is how long after a success an endpoint counts as one that limits,
// and not as one that is away.
const recently = 10 * time.Second

// rest is how long a service leaves its endpoint alone because that asks for it.
// Safe for concurrent use.
type rest struct {
	over  func()       // called at the end
	until atomic.Int64 // in Unix nanoseconds; 0: it does not rest
	took  atomic.Int64 // when the endpoint took something last

	mu     sync.Mutex
	asked  int64 // when the endpoint asked for one last
	limits bool  // it only takes what comes more slowly
}

// ask makes it last for so long at least.
func (r *rest) ask(d time.Duration) {
	end := time.Now().Add(d).UnixNano()
	for {
		was := r.until.Load()
		if was >= end {
			return
		}
		if r.until.CompareAndSwap(was, end) {
			time.AfterFunc(d, r.over)
			return
		}
	}
}

// lasts reports whether nothing may begin now.
func (r *rest) lasts() bool {
	until := r.until.Load()
	return until != 0 && time.Now().UnixNano() < until
}

// end ends it early.
func (r *rest) end() { r.until.Store(0) }

// success notes that the endpoint has taken something.
func (r *rest) success() { r.took.Store(time.Now().UnixNano()) }

// refused notes that the endpoint asks an attempt for so long a rest, and reports
// whether it only takes what comes more slowly: it took something not long ago,
// and since it asked for a rest before. Attempts that were under way together
// get the same answer.
func (r *rest) refused(began time.Time, wanted time.Duration) (limits bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if began.UnixNano() > r.asked {
		now, took := time.Now().UnixNano(), r.took.Load()
		r.limits = r.asked != 0 && took > r.asked && now-took < int64(2*wanted+recently)
		r.asked = now
	}
	r.ask(wanted)
	return r.limits
}
