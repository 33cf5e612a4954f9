package deliver

import (
	"errors"
	"math/rand/v2"
	"time"

	"callrelay/queue"
	"callrelay/relay/exchange"
)

// recordingRest is how long a delivery is parked at least that has no room to
// wait for its recording in memory.
const recordingRest = 5 * time.Second

// turn is what a delivery has when its turn has come: a place of the runner, and the
// setup that counts until the turn is over.
type turn struct {
	*runner
	s *setup
	d *delivery
}

// serve does what is to be done with a delivery: mostly an attempt. What is
// left to do without the place is returned; nil is nothing.
func (r turn) serve() (after func()) {
	s, d := r.s, r.d
	if d.isErased() {
		return d.finish
	}
	if d.death != nil {
		return r.store
	}
	if time.Since(d.accepted) >= s.service.MaxAge {
		return func() {
			r.bury(verdict{outcome: Dead, reason: ReasonExpired, status: d.status, err: expiredText(s)})
		}
	}
	if pause := r.askedWait(); pause > 0 {
		return func() { r.setAside(pause) }
	}
	e, err := d.read()
	if err != nil {
		return func() { r.bury(unrenderable(err)) }
	}
	if path, until := s.recordingOf(e, d.accepted); path != "" {
		return func() { r.awaitRecording(path, until) }
	}
	return r.proceed()
}

// proceed attempts a delivery once the rate and the breaker allow it. Where
// that is no more the case, it goes back to where it came from.
func (r turn) proceed() (after func()) {
	s, d := r.s, r.d
	if s.service.Rate.PerSecond > 0 && r.pace.Wait(r.stop) != nil {
		return r.back
	}
	rests := r.rest.lasts()
	if !rests { // an attempt of the quota that was taken is made, whoever asks for a rest meanwhile
		if pause := r.quota.Load().take(time.Now()); pause > 0 {
			r.rest.ask(pause)
			rests = true
		}
	}
	r.mu.Lock()
	if r.closed || r.held {
		r.mu.Unlock()
		return r.back
	}
	t, ok := ticket{}, !rests
	if ok {
		t, ok = r.endpoint.admit()
	}
	if !ok { // the breaker has opened meanwhile, or the endpoint wants a rest
		r.buffer.toFront(d)
	}
	r.mu.Unlock()
	if !ok {
		return nil
	}
	return r.attempt(t)
}

// back puts the delivery into the queue again: its turn came to nothing.
func (r turn) back() { r.d.giveBack(r.d.parking(time.Now(), true)) }

// attempt makes one attempt, and reports it to the breaker.
func (r turn) attempt(t ticket) (after func()) {
	s, d := r.s, r.d
	now, late := time.Now(), s.lateOf(d.event)
	a, wsse, err := s.prepare(d.event, d.attempts+1, now)
	if err != nil {
		t.done(result{err: errGivenUp})
		if fault, ok := errors.AsType[*exchange.FileError](err); ok {
			return func() { r.unopened(fault) }
		}
		r.left(late, d.attempts+1)
		return func() { r.bury(unrenderable(err)) }
	}
	defer a.Close()
	ctx, span := r.reporter.tracer.begin(r.abort, d, a)
	v, reply, elapsed := s.exchange(ctx, a, now)
	defer span.end(&v)
	if v.unmade || r.abort.Err() != nil && v.status == 0 {
		t.done(result{err: errGivenUp})
		return r.back
	}
	if d.isErased() {
		t.done(result{err: errGivenUp})
		return d.finish
	}
	d.attempts, d.status = d.attempts+1, v.status
	if v.err != "" {
		v.err = exchange.Clip(s.mask.text(v.err, append(tokens(a), wsse...)...))
	}
	r.record(r.abort, v, now, elapsed)
	if s.debug(now) {
		r.reporter.transcript(s.transcript(a, wsse, reply, v, now, elapsed))
	}
	r.left(late, d.attempts)
	switch {
	case v.local != nil: // which says nothing of the endpoint
		r.reporter.descriptors.Note(v.local)
		t.done(result{err: errGivenUp})
	case v.limited || v.spared: // which says only when to come again
		if v.limited {
			v.paced = r.leaveAlone(now, v.retryAfter)
		}
		t.done(result{err: errGivenUp})
	case v.healthy():
		t.done(result{})
	default:
		t.done(result{err: errUnhealthy, why: v.err, operational: d.operational()})
	}
	return r.conclude(v)
}

// left notes that an attempt left with its recording, or without the one that is
// late. One that is carried may be lost between attempts.
func (r turn) left(late string, attempt int) {
	if attempt == 1 {
		r.s.countRecording(r.d.event, late)
	}
	if late != "" && (attempt == 1 || r.s.service.Carries) {
		r.s.watchLate(late, r.d)
	}
}

// conclude ends a delivery that was delivered, and says what is to be done with
// any other.
func (r turn) conclude(v verdict) (after func()) {
	d := r.d
	switch v.outcome {
	case Delivered:
		// A crash before this is on disk repeats the attempt.
		d.finish()
		r.rest.success()
		r.succeeded()
		return nil
	case Dead:
		r.succeeded()
		return func() { r.bury(v) }
	default:
		return func() { r.retry(v) }
	}
}

// retry has a delivery wait for its next attempt: in memory when that is soon,
// or when the breaker decides on it and the next probe may need it; else parked.
func (r turn) retry(v verdict) {
	s, d := r.s, r.d
	if v.gone {
		r.pauseGone()
	}
	now := time.Now()
	pause := delay(s.service.RetrySchedule, d.attempts, v.retryAfter)
	if v.paced {
		pause = v.retryAfter // the service goes on then, this one first
	}
	pause = max(min(pause, d.accepted.Add(s.service.MaxAge).Sub(now)), 0) // it expires then
	w := &wait{phase: phaseEndpoint}
	if v.retryAfter != 0 {
		w.phase = phaseAsked
	}
	held := w.phase == phaseEndpoint
	if (pause <= inPlace || held && r.notClosed()) && r.mayWait(phaseAsked) {
		r.keep(d, w, pause)
		return
	}
	p := d.parking(now.Add(pause), held || r.ask(now.Add(v.retryAfter)))
	p.Reason = v.err
	if err := d.park(p); err != nil {
		r.keep(d, w, pause)
	}
}

// leaveAlone has the service make no attempt for so long, and then begin with one
// at a time. It reports whether the endpoint only limits how much it takes.
func (r turn) leaveAlone(began time.Time, d time.Duration) (limits bool) {
	limits = r.rest.refused(began, d)
	r.mu.Lock()
	r.places = 1
	r.mu.Unlock()
	return limits
}

// ask remembers when the endpoint wants to see the delivery again at the
// earliest, and reports whether it could.
func (r turn) ask(at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked.note(r.d.record.ID, at)
}

// askedWait is how long the endpoint wants a delivery to wait still.
func (r turn) askedWait() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asked) == 0 {
		return 0
	}
	return r.asked.wait(r.d.record.ID, time.Now())
}

// setAside has a delivery wait that came due before its Retry-After.
func (r turn) setAside(pause time.Duration) {
	d := r.d
	if pause > inPlace || !r.mayWait(phaseAsked) {
		if d.park(d.parking(time.Now().Add(pause), false)) == nil {
			return
		}
	}
	r.keep(d, &wait{phase: phaseAsked}, pause)
}

// notClosed reports whether the breaker is not closed.
func (r turn) notClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.endpoint.shut.Load()
}

// mayWait reports whether one more delivery may wait in memory.
func (r turn) mayWait(p phase) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed && !r.held && !r.buffer.full(p)
}

// bury makes a delivery a dead letter.
func (r turn) bury(v verdict) {
	s, d := r.s, r.d
	d.death = &queue.Death{Reason: v.reason, Attempts: d.attempts, Status: v.status, Error: exchange.Clip(s.mask.text(v.err))}
	r.store()
}

// store has the queue keep a dead letter; only then is the delivery over. A
// crash in between repeats it.
func (r turn) store() {
	d := r.d
	if err := d.Bury(*d.death); err != nil {
		r.keep(d, &wait{phase: phaseUnstored}, queueRest)
		return
	}
	d.to(phaseDead)
	r.reporter.buried(r.abort, d, exchange.HostOf(r.setup.Load().service.Endpoint))
	r.stats.dead.Add(1)
}

// awaitRecording has a delivery wait for its recording, at most until a moment,
// without an attempt and without a place. As many as fit wait in memory, the
// rest in the queue.
func (r turn) awaitRecording(path string, until time.Time) {
	d := r.d
	if !r.mayWait(phaseRecording) {
		due := time.Now().Add(recordingRest + rand.N(recordingRest))
		if due.After(until) {
			due = until
		}
		if d.park(d.parking(due, false)) == nil {
			return
		}
	}
	w := &wait{phase: phaseRecording}
	r.keep(d, w, time.Until(until))
	cancel := r.s.recordings.Watch(path, func() { r.due(d) })
	r.mu.Lock()
	waits := r.buffer.waiting[d] == w
	if waits {
		w.cancel = cancel
	}
	r.mu.Unlock()
	if !waits { // ready already
		cancel()
	}
}

// unrenderable is the verdict on an event that cannot be written as its service
// wants it.
func unrenderable(err error) verdict {
	return verdict{outcome: Dead, reason: ReasonRender, err: err.Error()}
}

func expiredText(s *setup) string {
	return "older than max_age " + s.service.MaxAge.String()
}
