package deliver

import (
	"context"
	"log/slog"
	"time"

	"callrelay/queue"
)

const (
	// ahead is how many deliveries are fetched for each place.
	ahead = 4

	// queueRest is how long a runner leaves the queue alone after it failed.
	queueRest = time.Second
)

// fetcher is the part of a runner that gets deliveries from its lane.
type fetcher struct{ *runner }

// fetch keeps the runner supplied until ctx ends.
func (r fetcher) fetch(ctx context.Context) {
	for {
		n := r.room(ctx)
		if n == 0 {
			return
		}
		list, err := r.lane.Next(ctx, n)
		r.take(list)
		if err != nil && ctx.Err() == nil {
			r.reporter.log.LogAttrs(ctx, slog.LevelDebug, "queue gives nothing", slog.String("service", r.name), slog.Any("err", err))
			sleep(ctx, queueRest)
		}
	}
}

// sleep waits for a time, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// room waits until deliveries are wanted and returns how many; 0 once ctx has
// ended.
func (r fetcher) room(ctx context.Context) int {
	for ctx.Err() == nil {
		r.mu.Lock()
		n := r.wanted()
		r.fetchWaits = n == 0
		r.mu.Unlock()
		if n > 0 {
			return n
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		}
	}
	return 0
}

// wanted is how many deliveries should be fetched now. While the breaker is
// open nothing is: the service's events stay where they are.
func (r fetcher) wanted() int {
	full, have := ahead*r.places, len(r.buffer.ready)
	crowded := r.storing >= maxWaiting || r.buffer.retries() >= 2*maxWaiting
	if r.closed || r.held || have > full/2 || crowded {
		return 0
	}
	ok, probe := r.endpoint.ready()
	switch {
	case !ok || probe && have > 0:
		return 0
	case probe:
		return 1
	default:
		return full - have
	}
}

// take gets deliveries from the lane.
func (r fetcher) take(list []*delivery) {
	if len(list) == 0 {
		return
	}
	r.mu.Lock()
	back := r.closed || r.held
	if !back {
		r.buffer.add(list...)
	}
	r.mu.Unlock()
	if !back {
		r.dispatch()
		return
	}
	for _, d := range list {
		d.giveBack(queue.Parking{})
	}
}

// wakeFetch has fetch to look again, if it waits and would find room.
func (r fetcher) wakeFetch() {
	if r.fetchWaits && r.wanted() > 0 {
		r.fetchWaits = false
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}
