package deliver

import (
	"sync"
	"time"
)

// hold keeps a service from being called, or lets it go on. What is in hand
// goes back to the queue, where it waits.
func (r *runner) hold(held bool) {
	r.mu.Lock()
	r.held = held
	r.mu.Unlock()
	if held {
		r.release()
	} else {
		r.dispatch()
	}
}

// release gives back to the queue what is in hand but not under way. Retries
// are parked, so that their attempts count on and their time is kept.
func (r *runner) release() {
	r.mu.Lock()
	ready, waiting := r.buffer.empty()
	r.mu.Unlock()
	var parks sync.WaitGroup // together, for the queue writes them together
	for _, d := range ready {
		parks.Go(func() { d.giveBack(d.parking(time.Now(), true)) })
	}
	for d, w := range waiting {
		parks.Go(func() { d.giveBack(d.parking(w.due, w.phase == phaseEndpoint)) })
	}
	parks.Wait()
}

// keep has a delivery wait in memory until it is due.
func (r *runner) keep(d *delivery, w *wait, delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.due = time.Now().Add(delay)
	w.timer = time.AfterFunc(delay, func() { r.due(d) })
	r.buffer.wait(d, w)
}

// due makes a delivery ready that waited in memory.
func (r *runner) due(d *delivery) {
	r.mu.Lock()
	if r.buffer.end(d) {
		r.buffer.toFront(d)
	}
	r.mu.Unlock()
	r.dispatch()
}

// expire buries what is in hand and older than the service's max_age.
func (r *runner) expire(now time.Time) {
	s := r.setup.Load()
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.asked.forget(now)
	expired := r.buffer.before(now.Add(-s.service.MaxAge))
	r.storing += len(expired)
	r.work.Add(len(expired))
	r.mu.Unlock()
	var burials sync.WaitGroup // together, for the queue writes them together
	for _, d := range expired {
		burials.Go(func() {
			turn{r, s, d}.bury(verdict{outcome: Dead, reason: ReasonExpired, status: d.status, err: expiredText(s)})
			dispatcher{r}.stored()
		})
	}
	burials.Wait()
}
