package queue

import (
	"sync/atomic"
	"time"
)

// deadline is a time that one goroutine moves and others look at. The zero
// value is past.
type deadline struct{ at atomic.Pointer[time.Time] }

func (d *deadline) set(at time.Time) { d.at.Store(&at) }

// ahead reports whether the deadline is yet to come.
func (d *deadline) ahead() bool {
	at := d.at.Load()
	return at != nil && time.Now().Before(*at)
}
