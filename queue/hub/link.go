package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	reportInterval = 5 * time.Second
	linkInterval   = 500 * time.Millisecond // between looks at the link
	reportAge      = 100 * time.Millisecond // of what is told: a hub may ask as often as it likes
)

// State is how an edge stands with its hub.
type State struct {
	Edge   string    `json:"edge"` // its name at the hub
	ID     string    `json:"id"`   // of its folder
	Linked bool      `json:"linked"`
	Since  time.Time `json:"since"`         // when that began
	Why    string    `json:"why,omitempty"` // why it is not linked
}

// Shown is what a queue shows to its hub.
type Shown struct {
	Engine func() *engine.Engine // that runs; nil: none
	Health func() error
	Stats  func() record.Stats
	Replay func(context.Context, record.Filter, func(record.Letter)) (int, error)
}

// Link links a queue to a hub. Nothing else in the queue waits for it: all that it
// does for the hub, it does as one more reader of the streams.
type Link struct {
	q   Shown
	log *slog.Logger
	o   engine.HubOptions
	id  edgeIdentity
	up  *uplink

	mu    sync.Mutex
	state State
	last  EdgeReport // at the time told
	told  time.Time
}

// NewLink returns the link of the queue in a folder. It is there once a server is
// started with its [Link.Uplink], and served by [Link.Run].
func NewLink(f *engine.Folder, o engine.HubOptions, log *slog.Logger, q Shown) (*Link, error) {
	id, err := identityOf(f)
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", f.Dir, err)
	}
	return &Link{q: q, log: log, o: o, id: id, up: &uplink{o: o, id: id.ID}, state: State{Edge: o.Name, ID: id.ID, Since: time.Now(), Why: "no answer"}}, nil
}

// Uplink is what the embedded server is to be started with.
func (e *Link) Uplink() engine.Link { return e.up }

// State returns how the queue stands with its hub.
func (e *Link) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Run has the hub served until ctx ends, by one engine after another.
func (e *Link) Run(ctx context.Context) {
	tick := time.NewTicker(linkInterval)
	defer tick.Stop()
	for {
		if eng := e.q.Engine(); eng != nil {
			if err := e.serve(ctx, eng, tick.C); err != nil {
				e.note(false, err.Error())
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// serve serves the hub as long as an engine runs.
func (e *Link) serve(ctx context.Context, eng *engine.Engine, tick <-chan time.Time) error {
	g, err := openGate(ctx, e, eng)
	if err != nil {
		return err
	}
	defer g.close()
	reported := time.Time{}
	for e.q.Engine() == eng {
		up := eng.Server.NumLeafNodes() > 0
		e.note(up, e.up.reason())
		if up && time.Since(reported) >= reportInterval {
			reported = time.Now()
			e.report(ctx, eng.Hub, reportSubject(e.o.Name, e.id.ID))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
		if !up {
			reported = time.Time{}
		}
	}
	e.note(false, "the queue is down")
	return nil
}

// note keeps the state of the link, and logs what changed.
func (e *Link) note(linked bool, why string) {
	if linked {
		why = ""
	}
	e.mu.Lock()
	was := e.state
	e.state.Linked, e.state.Why = linked, why
	if was.Linked != linked {
		e.state.Since = time.Now()
	}
	e.mu.Unlock()
	switch {
	case linked && !was.Linked:
		e.log.Info("hub linked", "edge", e.o.Name)
	case !linked && (was.Linked || was.Why != why):
		e.log.Warn("hub away", "edge", e.o.Name, "err", why)
	}
}

// report tells the hub what the edge holds.
func (e *Link) report(ctx context.Context, nc *nats.Conn, to string) {
	data, err := json.Marshal(e.current(ctx))
	if err != nil {
		e.log.Error("report to hub not written", "err", err)
		return
	}
	_ = nc.Publish(to, data) // the next one follows in a moment
}

func (e *Link) current(ctx context.Context) EdgeReport {
	e.mu.Lock()
	last, told := e.last, e.told
	e.mu.Unlock()
	if time.Since(told) < reportAge {
		return last
	}
	last = e.look(ctx)
	e.mu.Lock()
	e.last, e.told = last, time.Now()
	e.mu.Unlock()
	return last
}

func (e *Link) look(ctx context.Context) EdgeReport {
	r := EdgeReport{Name: e.o.Name, ID: e.id.ID, Made: e.id.Made, Version: e.o.Version}
	if err := e.q.Health(); err != nil {
		r.Problem = err.Error()
	}
	s := e.q.Stats()
	r.Bytes = s.Bytes
	r.Services = slices.Sorted(maps.Keys(s.Services))
	for _, one := range s.Services {
		r.Waiting += one.Waiting + one.InFlight + one.Parked
		for _, n := range one.Dead {
			r.Dead += n
		}
		if !one.Oldest.IsZero() && (r.Oldest.IsZero() || one.Oldest.Before(r.Oldest)) {
			r.Oldest = one.Oldest
		}
	}
	if eng := e.q.Engine(); eng != nil {
		r.Letters = letterSpan(ctx, eng)
	}
	return r
}
