package deliver

// dispatcher is the part of a runner that gives its places to deliveries.
type dispatcher struct{ *runner }

// fill starts as many attempts as there are places, and has more fetched.
func (r dispatcher) fill() {
	for {
		r.mu.Lock()
		d := r.begin()
		fetcher(r).wakeFetch()
		r.mu.Unlock()
		if d == nil {
			return
		}
		go r.worker(d)
	}
}

// begin takes a place and the delivery to use it for; nil when there is none of
// either, or no leave.
func (r dispatcher) begin() *delivery {
	if r.closed || r.held || r.stop == nil || r.busy >= r.places || r.rest.lasts() {
		return nil
	}
	ok, probe := r.endpoint.ready()
	if !ok {
		return nil
	}
	d := r.pick(probe)
	if d != nil {
		r.busy++
		r.work.Add(1)
	}
	return d
}

// pick takes the next delivery; a probe is made with the oldest.
func (r dispatcher) pick(probe bool) *delivery {
	if probe {
		return r.buffer.oldest()
	}
	return r.buffer.next()
}

// worker makes attempts as long as there are deliveries and the place is its
// own. The place is free again before an outcome is stored that takes the disk.
func (r dispatcher) worker(d *delivery) {
	for d != nil {
		after := turn{r.runner, r.setup.Load(), d}.serve()
		if after != nil {
			d.to(phaseStoring)
		}
		d = r.swap(after != nil)
		if after != nil {
			after()
			r.stored()
			return
		}
	}
}

// swap ends the use of a place and begins the next. When the outcome is still
// to be stored, it leaves the next to another worker.
func (r dispatcher) swap(store bool) *delivery {
	r.mu.Lock()
	r.busy--
	if store {
		r.storing++
		r.mu.Unlock()
		r.fill()
		return nil
	}
	next := r.begin()
	fetcher(r).wakeFetch()
	more := r.busy < r.places && len(r.buffer.ready) > 0 // places were added
	r.mu.Unlock()
	r.work.Done()
	if more {
		r.fill()
	}
	return next
}

// stored ends the storing of an outcome.
func (r dispatcher) stored() {
	r.mu.Lock()
	r.storing--
	fetcher(r).wakeFetch()
	r.mu.Unlock()
	r.work.Done()
}
