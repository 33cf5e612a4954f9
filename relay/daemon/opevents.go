package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"callrelay/relay/call"
)

const (
	opEventEvery = time.Minute // how often the same is reported again
	opEventBurst = 4           // changes of one breaker that are reported at once
	maxAlarms    = 256         // of any kind that wait for the queue; further ones are dropped
)

// opEvents raises the relay's own events, which an operator binds to a chat or a
// pager. What happens again and again becomes one event a minute, with its
// count: 100,000 dead letters of one service and reason are not 100,000 pages.
// Safe for concurrent use.
type opEvents struct {
	accept func(ctx context.Context, event []byte) error
	log    *slog.Logger
	host   string

	mu    sync.Mutex
	ready []map[string]any
	kinds map[string]*opEvent
	wake  chan struct{} // holds a token when something was raised
}

// opEvent is one kind of event, and what of it waits for its minute.
type opEvent struct {
	next    time.Time      // when its allowance is whole again
	spare   time.Duration  // how far next may lie ahead
	waiting map[string]any // the latest; nil: none
}

func newOpEvents(log *slog.Logger, accept func(ctx context.Context, event []byte) error) *opEvents {
	host, _ := os.Hostname() // empty when there is none
	return &opEvents{accept: accept, log: log, host: host, kinds: map[string]*opEvent{}, wake: make(chan struct{}, 1)}
}

// raise has an event accepted like any other, without waiting. Its count, 1
// unless it has one, says how often it happened since it was last reported.
func (a *opEvents) raise(event map[string]any) {
	now := time.Now()
	event["at"], event["host"] = now.UTC().Format(time.RFC3339), a.host
	if event["count"] == nil {
		event["count"] = 1
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kind(event)
	if k.waiting != nil {
		event["count"] = event["count"].(int) + k.waiting["count"].(int)
	}
	k.waiting = event
	a.move(k, now)
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// kind returns that of an event. An opening and the closing of a breaker are of
// one kind, so that the last one reported is how it is.
func (a *opEvents) kind(event map[string]any) *opEvent {
	name, spare := event["event"], time.Duration(0)
	if name == call.BreakerOpened || name == call.BreakerClosed {
		name, spare = "breaker", (opEventBurst-1)*opEventEvery
		event = map[string]any{"endpoint": event["endpoint"]}
	}
	key := fmt.Sprint(name, event["service"], " ", event["reason"], " ", event["endpoint"])
	k := a.kinds[key]
	if k == nil {
		k = &opEvent{spare: spare}
		a.kinds[key] = k
	}
	return k
}

// move makes ready what waits and may be reported now.
func (a *opEvents) move(k *opEvent, now time.Time) {
	if k.waiting == nil || k.due().After(now) {
		return
	}
	if len(a.ready) == maxAlarms {
		a.ready = slices.Delete(a.ready, 0, 1)
		a.log.Warn("event not raised", "err", "too many wait")
	}
	a.ready = append(a.ready, k.waiting)
	k.waiting = nil
	if k.next.Before(now) {
		k.next = now
	}
	k.next = k.next.Add(opEventEvery)
}

func (k *opEvent) due() time.Time { return k.next.Add(-k.spare) }

// run passes events to the intake until ctx ends.
func (a *opEvents) run(ctx context.Context) error {
	for {
		list, rest := a.take(time.Now())
		for _, event := range list {
			a.report(ctx, event)
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-a.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take returns what may be reported now, and after how long there is more. Kinds
// that have been quiet are forgotten.
func (a *opEvents) take(now time.Time) (list []map[string]any, rest time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rest = opEventEvery
	for key, k := range a.kinds {
		a.move(k, now)
		switch {
		case k.waiting != nil:
			rest = min(rest, k.due().Sub(now))
		case k.next.Before(now):
			delete(a.kinds, key)
		}
	}
	list, a.ready = a.ready, nil
	return list, rest
}

// flush reports all that waits, whether its minute is over or not: the relay
// stops.
func (a *opEvents) flush(ctx context.Context) {
	a.mu.Lock()
	list := a.ready
	a.ready = nil
	for _, k := range a.kinds {
		if k.waiting != nil {
			list = append(list, k.waiting)
			k.waiting = nil
		}
	}
	a.mu.Unlock()
	for _, event := range list {
		a.report(ctx, event)
	}
}

// report has one event accepted. These events come on the side: one that the queue
// refuses is logged and lost.
func (a *opEvents) report(ctx context.Context, event map[string]any) {
	data, err := json.Marshal(event)
	if err == nil {
		err = a.accept(ctx, data)
	}
	if err != nil {
		a.log.Warn("event not raised", "event", event["event"], "err", err)
	}
}
