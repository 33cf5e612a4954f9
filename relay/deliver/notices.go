package deliver

import (
	"context"
	"slices"
	"sync"
	"time"

	"callrelay/queue"
)

// The operational events that are raised here.
const (
	eventBreakerOpened = "relay_breaker_opened"
	eventBreakerClosed = "relay_breaker_closed"
	eventDeadLetter    = "relay_dead_letter"
)

const (
	noticeRest = time.Second // between events, so that a flood of dead letters is no flood of events
	maxNotices = 256         // that wait to be raised; further ones are dropped
)

// notices raises the relay's own events. Dead letters of one service and reason
// that come close together make one event with their number. Safe for
// concurrent use.
type notices struct {
	raise func(ctx context.Context, event map[string]any)

	mu      sync.Mutex
	waiting []notice
	ready   chan struct{} // holds a token when something waits
}

type notice struct {
	event   map[string]any
	service string
	reason  string // of dead letters
}

func newNotices(raise func(ctx context.Context, event map[string]any)) *notices {
	if raise == nil {
		raise = func(context.Context, map[string]any) {}
	}
	return &notices{raise: raise, ready: make(chan struct{}, 1)}
}

// run raises what comes until ctx ends.
func (n *notices) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.ready:
		}
		n.mu.Lock()
		list := n.waiting
		n.waiting = nil
		n.mu.Unlock()
		for _, one := range list {
			n.raise(ctx, one.event)
		}
		sleep(ctx, noticeRest)
	}
}

// dead tells of a dead letter.
func (n *notices) dead(service string, d queue.Death, id string) {
	n.deadMany(service, d, id, 1)
}

// deadMany tells of many at once; id is that of one of them, or empty.
func (n *notices) deadMany(service string, d queue.Death, id string, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	same := func(w notice) bool { return w.service == service && w.reason == d.Reason }
	if i := slices.IndexFunc(n.waiting, same); i >= 0 {
		n.waiting[i].event["count"] = n.waiting[i].event["count"].(int) + count
		return
	}
	event := map[string]any{
		"event": eventDeadLetter, "service": service, "reason": d.Reason, "count": count,
		"status": d.Status, "error": d.Error, "delivery": id,
	}
	n.add(notice{event: event, service: service, reason: d.Reason})
}

// breaker tells of a breaker that opened or closed.
func (n *notices) breaker(name string, services []string, host, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	event := map[string]any{"event": name, "endpoint": host, "services": services, "error": why}
	if len(services) > 0 {
		event["service"] = services[0]
	}
	n.add(notice{event: event})
}

func (n *notices) add(one notice) {
	if len(n.waiting) >= maxNotices {
		return
	}
	n.waiting = append(n.waiting, one)
	select {
	case n.ready <- struct{}{}:
	default:
	}
}
