package deliver

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"sync"

	"callrelay/queue"
)

// Paused returns why an operator paused a service, and whether one did.
func (d *Deliverer) Paused(service string) (why string, paused bool) { return d.pauses.of(service) }

// Pause keeps a service from being called until [Deliverer.Resume], also after a
// restart. Attempts under way are finished; what waits is kept, and expires by
// its max_age.
func (d *Deliverer) Pause(service, why string) error {
	d.applying.Lock()
	defer d.applying.Unlock()
	if err := d.pauses.pause(service, why); err != nil {
		return fmt.Errorf("pause %s: %w", service, err)
	}
	d.options.Log.Info("service paused", "service", service, "why", why)
	if r := d.runner(service); r != nil {
		r.hold(true)
	}
	return nil
}

// Resume ends a pause. What waited because of the endpoint comes due.
func (d *Deliverer) Resume(service string) error {
	d.applying.Lock()
	defer d.applying.Unlock()
	if err := d.pauses.resume(service); err != nil {
		return fmt.Errorf("resume %s: %w", service, err)
	}
	d.options.Log.Info("service resumed", "service", service)
	if r := d.runner(service); r != nil && r.setup.Load().service.Active {
		r.lane.Wake(queue.WakeHeld)
		r.hold(false)
	}
	return nil
}

// pauseGone pauses a service whose endpoint asks never to be called again.
func (d *Deliverer) pauseGone(service string) {
	const why = "its endpoint answered 410 Gone"
	if _, paused := d.pauses.of(service); paused {
		return
	}
	if err := d.Pause(service, why); err != nil {
		d.options.Log.Error("service not paused", "service", service, "err", err)
		return
	}
	d.options.Log.Error("service held until relay resume", "service", service, "why", why)
}

// Probe has an open breaker let through an attempt now. While the breaker is
// closed, what waits because of the endpoint comes due.
func (d *Deliverer) Probe(service string) error {
	r := d.runner(service)
	if r == nil {
		return fmt.Errorf("probe %s: the service is not configured", service)
	}
	r.mu.Lock()
	e := r.endpoint
	r.mu.Unlock()
	if state, _ := e.state(); state == BreakerClosed {
		r.lane.Wake(queue.WakeHeld)
	} else {
		e.breaker.probe()
	}
	return nil
}

// pausesState is the name under which pauses outlast the process.
const pausesState = "paused"

// pauses are the services that an operator or an endpoint has paused, and why.
// Safe for concurrent use.
type pauses struct {
	store store

	mu  sync.Mutex // held while storing: what is stored is what is answered
	why map[string]string
}

func newPauses(s store, log *slog.Logger) *pauses {
	why := recall[map[string]string](s, pausesState, log, "pauses not known, so no service is paused")
	if why == nil {
		why = map[string]string{}
	}
	return &pauses{store: s, why: why}
}

// of returns why a service is paused, and whether it is.
func (p *pauses) of(service string) (why string, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	why, paused = p.why[service]
	return why, paused
}

// pause stores a pause. It holds when pause returns nil.
func (p *pauses) pause(service, why string) error {
	return p.change(func(m map[string]string) { m[service] = why })
}

func (p *pauses) resume(service string) error {
	return p.change(func(m map[string]string) { delete(m, service) })
}

func (p *pauses) change(edit func(map[string]string)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := maps.Clone(p.why)
	edit(next)
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("store pauses: %w", err)
	}
	if err := p.store.Save(pausesState, data); err != nil {
		return fmt.Errorf("store pauses: %w", err)
	}
	p.why = next
	return nil
}
