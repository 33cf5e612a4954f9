package deliver

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/trace"

	"callrelay/queue"
	"callrelay/relay/exchange"
	"callrelay/relay/limit"
	"callrelay/relay/route"
)

// Options are what a [Deliverer] works with. Queue is required.
type Options struct {
	Queue      *queue.Queue
	Recordings Recordings   // nil: there are none
	Log        *slog.Logger // nil: nothing is logged
	Version    string       // for User-Agent
	Tracer     trace.Tracer // nil: nothing is traced
	Own        []string     // the relay's own listeners, host:port, which are never called

	// Raise puts an operational event of the relay into its own intake. It must
	// not block, and is called as often as something happens. Nil: none
	// are raised.
	Raise func(event map[string]any)

	Descriptors *limit.Descriptors // notes that there are none left; nil: nobody does
}

// Deliverer delivers what the queue holds to the services of a table. Make one
// with [New]. Safe for concurrent use.
type Deliverer struct {
	options  Options
	reporter *reporter
	breakers *breakers
	pauses   *pauses

	applying sync.Mutex // one reload, pause or resumption at a time
	mu       sync.Mutex
	table    *route.Table
	runners  map[string]*running
	stop     context.Context // while running, else nil
	abort    context.Context
	ended    bool
	work     sync.WaitGroup
}

// running is a runner and the end of it.
type running struct {
	*runner
	cancel context.CancelFunc // nil until it runs
}

// New makes a deliverer.
func New(o Options) *Deliverer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Recordings == nil {
		o.Recordings = noRecordings{}
	}
	d := &Deliverer{options: o, runners: map[string]*running{}}
	d.reporter = newReporter(o.Log, newMetrics(), o.Queue, newNotices(o.Raise))
	d.reporter.tracer, d.reporter.descriptors = tracer{o.Tracer}, o.Descriptors
	d.pauses = newPauses(o.Queue, o.Log)
	d.breakers = newBreakers(o.Queue, o.Log, d.breakerChanged)
	o.Queue.OnBuried(d.buried)
	return d
}

// Apply has services be called as a table says from now on. Attempts under way
// finish as they began; breakers, connections and rates of services that have
// not changed are kept. It is called before [Deliverer.Run] and at each reload.
func (d *Deliverer) Apply(t *route.Table) {
	d.applying.Lock()
	defer d.applying.Unlock()
	d.mu.Lock()
	d.table = t
	d.mu.Unlock()
	d.drop(t)
	used := map[string]bool{}
	for _, s := range t.Services() {
		settings := s.Breaker
		e := d.breakers.endpoint(s.Endpoint, settings)
		if !used[s.Endpoint] { // of services that share it, the first one's settings hold
			e.configure(settings)
		}
		used[s.Endpoint] = true
		d.applyOne(t, s, e)
	}
	d.breakers.keep(used)
}

func (d *Deliverer) applyOne(t *route.Table, s *route.Service, e *endpoint) {
	d.mu.Lock()
	r, known := d.runners[s.Name]
	d.mu.Unlock()
	if !known {
		lane := queueLane{d.options.Queue.Lane(s.Name)}
		r = &running{runner: newRunner(s.Name, lane, d.reporter, func() { d.pauseGone(s.Name) })}
	}
	_, paused := d.pauses.of(s.Name)
	r.apply(newSetup(s, d.options.environment(t), r.setup.Load()), e, paused || !s.Active)
	d.mu.Lock()
	d.runners[s.Name] = r // only now: it is complete
	d.mu.Unlock()
	d.start(r)
}

// drop ends the runners of services that are no more. What waits for those
// stays in the queue.
func (d *Deliverer) drop(t *route.Table) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, r := range d.runners {
		if t.Service(name) != nil {
			continue
		}
		if r.cancel != nil {
			r.cancel()
		} else {
			r.endpoint.leave(r.runner)
		}
		delete(d.runners, name)
		d.reporter.metrics.forget(name)
	}
}

func (o Options) environment(t *route.Table) environment {
	env := environment{
		recordings: o.Recordings,
		userAgent:  "relay/" + o.Version,
		own:        o.Own,
		keep:       o.Queue,
	}
	if t.Config.Recordings != nil {
		env.late = t.Config.Recordings.Late
	}
	return env
}

// start lets a runner run, if the deliverer does.
func (d *Deliverer) start(r *running) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop == nil || r.cancel != nil || d.ended {
		return
	}
	ctx, cancel := context.WithCancel(d.stop)
	r.cancel = cancel
	abort := d.abort
	d.work.Go(func() {
		defer cancel()
		r.run(ctx, abort)
	})
}

// Run delivers until ctx ends: then no attempt begins any more, and those under
// way are finished, or given back when abort ends as well. It returns nil when
// all is in the queue that was not delivered.
func (d *Deliverer) Run(ctx, abort context.Context) error {
	d.mu.Lock()
	d.stop, d.abort = ctx, abort
	runners := make([]*running, 0, len(d.runners))
	for _, r := range d.runners {
		runners = append(runners, r)
	}
	d.mu.Unlock()
	for _, r := range runners {
		d.start(r)
	}
	d.work.Go(func() { housekeeper{d}.run(ctx) })
	<-ctx.Done()
	d.mu.Lock()
	d.ended = true // no reload starts a runner any more
	d.mu.Unlock()
	d.work.Wait()
	d.breakers.stop()
	return nil
}

// runner returns that of a service; nil when it is not configured.
func (d *Deliverer) runner(service string) *runner {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.runners[service]; ok {
		return r.runner
	}
	return nil
}

// inOrder returns the runners in the order of the file.
func (d *Deliverer) inOrder() []*runner {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*runner, 0, len(d.runners))
	for _, r := range d.runners {
		list = append(list, r.runner)
	}
	slices.SortFunc(list, func(a, b *runner) int {
		return a.setup.Load().service.Index - b.setup.Load().service.Index
	})
	return list
}

func (d *Deliverer) stateOf(r *runner) (state, why string) {
	why, paused := d.pauses.of(r.name)
	switch {
	case !r.setup.Load().service.Active:
		return StateInactive, why
	case paused:
		return StatePaused, why
	default:
		return StateActive, ""
	}
}

// breakerChanged logs and raises how an endpoint's breaker is, once for all its
// services.
func (d *Deliverer) breakerChanged(e *endpoint, c change) {
	opened := c.from == BreakerClosed && c.to == BreakerOpen
	closed := c.from != BreakerClosed && c.to == BreakerClosed
	if !opened && !closed {
		return
	}
	var services []string
	for _, r := range e.list() {
		services = append(services, r.name)
	}
	slices.Sort(services)
	if opened {
		d.options.Log.Warn("breaker opened", "endpoint", exchange.HostOf(e.url), "service", services, "err", c.cause.why)
	} else {
		d.options.Log.Info("breaker closed", "endpoint", exchange.HostOf(e.url), "service", services)
	}
	e.announce(opened, c.cause.operational, func(event string) {
		d.reporter.notices.breaker(event, services, exchange.HostOf(e.url), c.cause.why)
	})
}
