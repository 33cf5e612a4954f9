package deliver

import (
	"math/rand/v2"
	"sync"
	"time"
)

// recordingRest is how long a delivery is parked at least that has no room to
// wait for its recording in memory.
const recordingRest = 5 * time.Second

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
	ready, waiting := r.hand.empty()
	r.mu.Unlock()
	var parks sync.WaitGroup // together, for the queue writes them together
	for _, d := range ready {
		if !d.tried {
			d.Return()
			continue
		}
		parks.Go(d.giveBack)
	}
	for d, w := range waiting {
		parks.Go(func() {
			if !d.tried || d.death != nil || d.Park(d.parking(w.due, w.held)) != nil {
				d.Return()
			}
		})
	}
	parks.Wait()
}

// keep has a delivery wait in memory until it is due.
func (r *runner) keep(d *delivery, w *wait, delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.due = time.Now().Add(delay)
	w.timer = time.AfterFunc(delay, func() { r.due(d) })
	r.hand.wait(d, w)
}

// due makes a delivery ready that waited in memory.
func (r *runner) due(d *delivery) {
	r.mu.Lock()
	if r.hand.end(d) {
		r.hand.putBack(d)
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
	expired := r.hand.before(now.Add(-s.service.MaxAge))
	r.settling += len(expired)
	r.work.Add(len(expired))
	r.mu.Unlock()
	var burials sync.WaitGroup // together, for the queue writes them together
	for _, d := range expired {
		burials.Go(func() {
			r.bury(d, verdict{outcome: Dead, reason: ReasonExpired, status: d.status, err: expiredText(s)})
			r.settled()
		})
	}
	burials.Wait()
}

// awaitRecording has a delivery wait for its recording, at most until a moment,
// without an attempt and without a place. As many as fit wait in memory, the
// rest in the queue.
func (r *runner) awaitRecording(d *delivery, path string, until time.Time) {
	if !r.mayWait(waitRecording) {
		due := time.Now().Add(recordingRest + rand.N(recordingRest))
		if due.After(until) {
			due = until
		}
		if d.Park(d.parking(due, false)) == nil {
			return
		}
	}
	w := &wait{kind: waitRecording}
	r.keep(d, w, time.Until(until))
	cancel := r.setup.Load().recordings.Watch(path, func() { r.due(d) })
	r.mu.Lock()
	waits := r.hand.waiting[d] == w
	if waits {
		w.cancel = cancel
	}
	r.mu.Unlock()
	if !waits { // ready already
		cancel()
	}
}
