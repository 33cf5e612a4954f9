package deliver

import (
	"sync/atomic"
	"time"
)

// recently is how long after a success an endpoint counts as one that limits,
// and not as one that is away.
const recently = 10 * time.Second

// rest is how long a service leaves its endpoint alone because that asks for it.
// Safe for concurrent use.
type rest struct {
	over  func()       // called at the end
	until atomic.Int64 // in Unix nanoseconds; 0: it does not rest
	took  atomic.Int64 // when the endpoint took something last
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

// limits reports whether an endpoint that asks for so long a rest takes what
// comes more slowly: it did not long ago.
func (r *rest) limits(asked time.Duration) bool {
	return time.Now().UnixNano()-r.took.Load() < int64(2*asked+recently)
}
