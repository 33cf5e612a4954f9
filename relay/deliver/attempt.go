package deliver

import (
	"time"

	"callrelay/queue"
	"callrelay/relay/exchange"
)

// worker makes attempts as long as there are deliveries and the place is its
// own. The place is free again before an outcome is stored that takes the disk.
func (r *runner) worker(d *delivery) {
	for d != nil {
		after := r.serve(d)
		d = r.swap(after != nil)
		if after != nil {
			after()
			r.settled()
			return
		}
	}
}

// swap ends the use of a place and begins the next. When the outcome is still
// to be stored, it leaves the next to another worker.
func (r *runner) swap(settle bool) *delivery {
	r.mu.Lock()
	r.busy--
	if settle {
		r.settling++
		r.mu.Unlock()
		r.dispatch()
		return nil
	}
	next := r.begin()
	r.feed()
	more := r.busy < r.places && len(r.hand.ready) > 0 // places were added
	r.mu.Unlock()
	r.work.Done()
	if more {
		r.dispatch()
	}
	return next
}

// settled ends the storing of an outcome.
func (r *runner) settled() {
	r.mu.Lock()
	r.settling--
	r.feed()
	r.mu.Unlock()
	r.work.Done()
}

// serve does what is to be done with a delivery: mostly an attempt. What is
// left to do without the place is returned; nil is nothing.
func (r *runner) serve(d *delivery) (after func()) {
	s := r.setup.Load()
	if d.gone() {
		return d.Finish
	}
	if d.death != nil {
		return func() { r.store(d) }
	}
	if time.Since(d.accepted) >= s.service.MaxAge {
		return func() {
			r.bury(d, verdict{outcome: Dead, reason: ReasonExpired, status: d.status, err: expiredText(s)})
		}
	}
	if pause := r.askedWait(d); pause > 0 {
		return func() { r.setAside(d, pause) }
	}
	e, err := d.read()
	if err != nil {
		return func() { r.bury(d, unrenderable(err)) }
	}
	if path, until := s.recordingOf(e, d.accepted); path != "" {
		return func() { r.awaitRecording(d, path, until) }
	}
	return r.proceed(s, d)
}

// proceed attempts a delivery once the rate and the breaker allow it. Where
// that is no more the case, it goes back to where it came from.
func (r *runner) proceed(s *setup, d *delivery) (after func()) {
	if s.service.Rate.PerSecond > 0 && r.pace.Wait(r.stop) != nil {
		return d.giveBack
	}
	if pause := r.quota.Load().take(time.Now()); pause > 0 {
		r.rest.ask(pause)
	}
	r.mu.Lock()
	if r.closed || r.held {
		r.mu.Unlock()
		return d.giveBack
	}
	t, ok := ticket{}, !r.rest.lasts()
	if ok {
		t, ok = r.endpoint.admit()
	}
	if !ok { // the breaker has opened meanwhile, or the endpoint wants a rest
		r.hand.putBack(d)
	}
	r.mu.Unlock()
	if !ok {
		return nil
	}
	return r.attempt(s, d, t)
}

// attempt makes one attempt, and tells the breaker.
func (r *runner) attempt(s *setup, d *delivery, t ticket) (after func()) {
	now, late := time.Now(), s.lateOf(d.event)
	a, wsse, err := s.prepare(d.event, d.attempts+1, now)
	if err != nil {
		t.done(result{err: errGivenUp})
		return func() { r.bury(d, unrenderable(err)) }
	}
	ctx, span := r.tell.tracer.begin(r.abort, d, a)
	v, reply, elapsed := s.exchange(ctx, a, now)
	defer span.end(&v)
	if v.unmade || r.abort.Err() != nil && v.status == 0 {
		t.done(result{err: errGivenUp})
		return d.giveBack
	}
	if d.gone() {
		t.done(result{err: errGivenUp})
		return d.Finish
	}
	d.attempts, d.tried, d.status = d.attempts+1, true, v.status
	if v.err != "" {
		v.err = exchange.Clip(s.mask.text(v.err, append(tokens(a), wsse...)...))
	}
	r.record(r.abort, d, v, now, elapsed)
	if s.debug(now) {
		r.tell.transcript(s.transcript(a, wsse, reply, v, now, elapsed))
	}
	if d.attempts == 1 && late != "" {
		s.watchLate(late, d)
	}
	switch {
	case v.local != nil: // which says nothing of the endpoint
		r.tell.descriptors.Note(v.local)
		t.done(result{err: errGivenUp})
	case v.limited || v.spared: // which says only when to come again
		if v.limited {
			r.leaveAlone(v.retryAfter)
		}
		t.done(result{err: errGivenUp})
	case v.healthy():
		t.done(result{})
	default:
		t.done(result{err: errUnhealthy, why: v.err, operational: d.operational()})
	}
	return r.conclude(s, d, v)
}

// conclude ends a delivery that was delivered, and says what is to be done with
// any other.
func (r *runner) conclude(s *setup, d *delivery, v verdict) (after func()) {
	switch v.outcome {
	case Delivered:
		// A crash before this is on disk repeats the attempt.
		d.Finish()
		r.rest.success()
		r.succeeded()
		return nil
	case Dead:
		r.succeeded()
		return func() { r.bury(d, v) }
	default:
		return func() { r.retry(s, d, v) }
	}
}

// retry has a delivery wait for its next attempt: in memory when that is soon,
// or when the breaker decides on it and the next probe may need it; else parked.
func (r *runner) retry(s *setup, d *delivery, v verdict) {
	if v.gone {
		r.gone()
	}
	now := time.Now()
	pause := delay(s.service.RetrySchedule, d.attempts, v.retryAfter)
	if v.limited && r.rest.limits(v.retryAfter) {
		pause = v.retryAfter // the service goes on then, this one first
	}
	pause = max(min(pause, d.accepted.Add(s.service.MaxAge).Sub(now)), 0) // it expires then
	inHand := &wait{kind: waitRetry, held: v.retryAfter == 0}
	if (pause <= inPlace || inHand.held && r.troubled()) && r.mayWait(waitRetry) {
		r.keep(d, inHand, pause)
		return
	}
	p := d.parking(now.Add(pause), inHand.held || r.ask(d, now.Add(v.retryAfter)))
	p.Reason = v.err
	if err := d.Park(p); err != nil {
		r.keep(d, inHand, pause)
	}
}

// leaveAlone has the service make no attempt for so long, and then begin with one
// at a time.
func (r *runner) leaveAlone(d time.Duration) {
	r.rest.ask(d)
	r.mu.Lock()
	r.places = 1
	r.mu.Unlock()
}

// ask remembers when the endpoint wants to see the delivery again at the
// earliest, and reports whether it could.
func (r *runner) ask(d *delivery, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked.note(d.record.ID, at)
}

// askedWait is how long the endpoint wants a delivery to wait still.
func (r *runner) askedWait(d *delivery) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asked) == 0 {
		return 0
	}
	return r.asked.wait(d.record.ID, time.Now())
}

// setAside has a delivery wait that came due before its Retry-After.
func (r *runner) setAside(d *delivery, pause time.Duration) {
	if pause > inPlace || !r.mayWait(waitRetry) {
		if d.Park(d.parking(time.Now().Add(pause), false)) == nil {
			return
		}
	}
	r.keep(d, &wait{kind: waitRetry}, pause)
}

// troubled reports whether the breaker is not closed.
func (r *runner) troubled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.endpoint.shut.Load()
}

// mayWait reports whether one more delivery may wait in memory.
func (r *runner) mayWait(kind waitKind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed && !r.held && !r.hand.full(kind)
}

// bury makes a delivery a dead letter.
func (r *runner) bury(d *delivery, v verdict) {
	s := r.setup.Load()
	d.death = &queue.Death{Reason: v.reason, Attempts: d.attempts, Status: v.status, Error: exchange.Clip(s.mask.text(v.err))}
	r.store(d)
}

// store has the queue keep a dead letter; only then is the delivery over. A
// crash in between repeats it.
func (r *runner) store(d *delivery) {
	if err := d.Bury(*d.death); err != nil {
		r.keep(d, &wait{kind: waitRetry}, queueRest)
		return
	}
	r.tell.buried(r.abort, d, exchange.HostOf(r.setup.Load().service.Endpoint))
	r.stats.dead.Add(1)
}

// unrenderable is the verdict on an event that cannot be written as its service
// wants it.
func unrenderable(err error) verdict {
	return verdict{outcome: Dead, reason: ReasonRender, err: err.Error()}
}

func expiredText(s *setup) string {
	return "older than max_age " + s.service.MaxAge.String()
}
