package deliver

import (
	"context"
	"time"

	"callrelay/relay/call"

	"callrelay/queue"
	"callrelay/relay/exchange"
)

// housekeeper is the part of a [Deliverer] that time drives.
type housekeeper struct{ *Deliverer }

// run looks after what time alone changes, until ctx ends: deliveries that
// expire, wherever they wait, and certificates that are replaced.
func (d housekeeper) run(ctx context.Context) {
	ticker := time.NewTicker(housekeepEvery)
	defer ticker.Stop()
	var states stateChanges
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			d.expire(ctx, now)
			d.renew()
			states.look(d.Status(), d.reporter.notices)
		}
	}
}

// expire makes dead letters of what is older than its service allows: in the
// hands of the runners, and in the queue while a breaker is open, a service
// paused, or its deliveries orphaned.
func (d housekeeper) expire(ctx context.Context, now time.Time) {
	stats := d.options.Queue.Stats().Services
	for _, r := range d.inOrder() {
		r.expire(now)
		d.sweep(ctx, r.name, stats[r.name], now.Add(-r.setup.Load().service.MaxAge))
	}
	d.mu.Lock()
	maxAge := d.table.Config.Defaults.MaxAge
	d.mu.Unlock()
	for name, st := range stats {
		if d.runner(name) == nil {
			d.sweep(ctx, name, st, now.Add(-maxAge))
		}
	}
}

// sweep buries what waits in the queue for a service since before a moment.
func (d housekeeper) sweep(ctx context.Context, service string, st queue.ServiceStats, before time.Time) {
	if st.Waiting+st.Parked == 0 || st.Oldest.IsZero() || !st.Oldest.Before(before) {
		return
	}
	death := queue.Death{Reason: ReasonExpired, Error: "older than max_age"}
	n, err := d.options.Queue.Sweep(ctx, service, before, death)
	if n > 0 {
		d.options.Log.Error("deliveries expired", "service", service, "count", n)
	}
	if err != nil && ctx.Err() == nil {
		d.options.Log.Warn("expiry not complete", "service", service, "err", err)
	}
}

// buried counts and reports dead letters that the queue made by itself: what
// expired or was dropped in it, and what had to make room.
func (d *Deliverer) buried(death queue.Death, records []queue.Record) {
	endpoint := ""
	if r := d.runner(records[0].Service); r != nil {
		r.stats.dead.Add(uint64(len(records)))
		endpoint = exchange.HostOf(r.setup.Load().service.Endpoint)
	}
	d.reporter.notices.dead(death, endpoint, records...)
}

// renew makes the connections of services anew whose certificates were
// replaced.
func (d housekeeper) renew() {
	d.applying.Lock()
	defer d.applying.Unlock()
	d.mu.Lock()
	t := d.table
	d.mu.Unlock()
	for _, r := range d.inOrder() {
		s := r.setup.Load()
		if s.service.TLS == nil || exchange.FilesStamp(s.service.TLS) == s.stamp {
			continue
		}
		d.options.Log.Info("certificates read again", "service", r.name)
		r.renew(newSetup(s.service, d.options.environment(t), s))
	}
}

// housekeepEvery is how often [housekeeper.run] looks.
const housekeepEvery = time.Second

// stateChanges knows the state that each service was last seen in. Not safe for
// concurrent use.
type stateChanges struct {
	last map[string]string // nil: nothing was seen yet
}

// look raises an operational event for each service whose state is another one
// than before. What is so from the start of the process is no change.
func (c *stateChanges) look(list []Status, n notices) {
	next := make(map[string]string, len(list))
	for _, s := range list {
		next[s.Name] = s.State
		was, known := c.last[s.Name]
		if c.last == nil || was == s.State || !known && s.State == StateActive {
			continue
		}
		n.state(s)
	}
	c.last = next
}

// state notifies that a service is in another state than before.
func (n notices) state(s Status) {
	event := map[string]any{
		"event": call.ServiceState, "service": s.Name, "state": s.State,
		"waiting": s.Owed(),
	}
	if s.Why != "" {
		event["reason"] = s.Why
	}
	n.raise(event)
}
