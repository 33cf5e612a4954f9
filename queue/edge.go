package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
)

const (
	reportInterval = 5 * time.Second
	linkInterval   = 500 * time.Millisecond // between looks at the link
	reportAge      = 100 * time.Millisecond // of what is told: a hub may ask as often as it likes
)

// HubState is how an edge stands with its hub.
type HubState struct {
	Edge   string // its name at the hub
	ID     string // of its folder
	Linked bool
	Since  time.Time // when that began
	Why    string    // why it is not linked
}

// edge links the queue to a hub. Nothing else in the queue waits for it: all
// that it does for the hub, it does as one more reader of the streams.
type edge struct {
	q  *Queue
	o  engine.HubOptions
	id edgeIdentity
	up *uplink

	mu    sync.Mutex
	state HubState
	last  EdgeReport // at the time told
	told  time.Time
}

func newEdge(q *Queue, o engine.HubOptions) (*edge, error) {
	id, err := identityOf(q.folder)
	if err != nil {
		return nil, fmt.Errorf("open queue %s: %w", q.o.Dir, err)
	}
	return &edge{q: q, o: o, id: id, up: &uplink{o: o, id: id.ID}, state: HubState{Edge: o.Name, ID: id.ID, Since: time.Now(), Why: "no answer"}}, nil
}

// HubState returns how the queue stands with its hub, and whether it has one.
func (q *Queue) HubState() (HubState, bool) {
	if q.edge == nil {
		return HubState{}, false
	}
	q.edge.mu.Lock()
	defer q.edge.mu.Unlock()
	return q.edge.state, true
}

// run has the hub served until ctx ends, by one engine after another.
func (e *edge) run(ctx context.Context) {
	tick := time.NewTicker(linkInterval)
	defer tick.Stop()
	for {
		if eng := e.q.engine.Load(); eng != nil {
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
func (e *edge) serve(ctx context.Context, eng *engine.Engine, tick <-chan time.Time) error {
	g, err := openGate(ctx, e, eng)
	if err != nil {
		return err
	}
	defer g.close()
	reported := time.Time{}
	for e.q.engine.Load() == eng {
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
func (e *edge) note(linked bool, why string) {
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
		e.q.o.Log.Info("hub linked", "edge", e.o.Name)
	case !linked && (was.Linked || was.Why != why):
		e.q.o.Log.Warn("hub away", "edge", e.o.Name, "err", why)
	}
}

// report tells the hub what the edge holds.
func (e *edge) report(ctx context.Context, nc *nats.Conn, to string) {
	data, err := json.Marshal(e.current(ctx))
	if err != nil {
		e.q.o.Log.Error("report to hub not written", "err", err)
		return
	}
	_ = nc.Publish(to, data) // the next one follows in a moment
}

func (e *edge) current(ctx context.Context) EdgeReport {
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

func (e *edge) look(ctx context.Context) EdgeReport {
	r := EdgeReport{Name: e.o.Name, ID: e.id.ID, Made: e.id.Made, Version: e.o.Version}
	if err := e.q.Health(); err != nil {
		r.Problem = err.Error()
	}
	s := e.q.Stats()
	r.Bytes = s.Bytes
	for _, one := range s.Services {
		r.Waiting += one.Waiting + one.InFlight + one.Parked
		for _, n := range one.Dead {
			r.Dead += n
		}
		if !one.Oldest.IsZero() && (r.Oldest.IsZero() || one.Oldest.Before(r.Oldest)) {
			r.Oldest = one.Oldest
		}
	}
	if eng := e.q.engine.Load(); eng != nil {
		r.Letters = letterSpan(ctx, eng)
	}
	return r
}
