package deliver

import (
	"maps"
	"sync"
	"time"
)

const (
	firstSummary = time.Minute // after a failure was told, its repeats are told as a number
	lastSummary  = time.Hour   // each time after twice as long, up to this
)

// failing is one way in which a service fails.
type failing struct {
	service string
	class   string
	status  int
	reason  string
}

// repeats tells what is new from what goes on: a failure is news once, and then
// a number. Safe for concurrent use.
type repeats struct {
	mu    sync.Mutex
	known map[failing]*repeat
}

type repeat struct {
	due   time.Time // when the number is told
	pause time.Duration
	count int // since it was told last
}

func newRepeats() *repeats { return &repeats{known: map[failing]*repeat{}} }

// news reports whether a failure is to be told now, and else counts it.
func (r *repeats) news(f failing, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.known[f]
	if k == nil {
		r.known[f] = &repeat{due: now.Add(firstSummary), pause: firstSummary}
		return true
	}
	k.count++
	return false
}

// summary is how often a failure was repeated.
type summary struct {
	failing
	count int
}

// due returns what was repeated and is to be told now. A failure that was not
// repeated all that time is over: the next one is news.
func (r *repeats) due(now time.Time) (list []summary) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f, k := range r.known {
		switch {
		case now.Before(k.due):
		case k.count == 0:
			delete(r.known, f)
		default:
			list = append(list, summary{f, k.count})
			k.count, k.pause = 0, min(2*k.pause, lastSummary)
			k.due = now.Add(k.pause)
		}
	}
	return list
}

// forget drops what is known of a service that is no more.
func (r *repeats) forget(service string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.known, func(f failing, _ *repeat) bool { return f.service == service })
}
