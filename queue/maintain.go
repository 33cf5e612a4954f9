package queue

import (
	"context"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

const (
	maintainInterval = time.Second
	trimInterval     = time.Minute

	calmPart = 0.75 // of MaxBytes: room is made down to here
)

// upkeep keeps the streams within their bounds.
type upkeep struct {
	q       *Queue
	trimmed time.Time
	seen    map[string]journal.Removal
}

// run watches what the streams hold, trims what is finished and makes
// room when there is little, until the queue closes.
func (m *upkeep) run(ctx context.Context) {
	tick := time.NewTicker(maintainInterval)
	defer tick.Stop()
	m.trimmed, m.seen = time.Now(), m.q.cached.removals()
	for {
		pressed := false
		select {
		case <-ctx.Done():
			return
		case <-m.q.store.Pressure.Wake:
			pressed = true
		case <-tick.C:
		}
		before := m.q.store.Space.Level()
		if eng := m.q.store.Engine(); eng != nil {
			m.once(ctx, eng, pressed)
		}
		if pressed {
			gave := m.q.store.Space.Level() < before
			if gave {
				m.awaitRoom(ctx)
			}
			m.q.store.Pressure.Relieve(gave)
		}
	}
}

// awaitRoom waits for the files of what was given up, which JetStream removes in
// its own time.
func (m *upkeep) awaitRoom(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maintainInterval)
	defer cancel()
	for m.q.store.Space.Spent(time.Now()) && ctx.Err() == nil {
		engine.Pause(ctx, maintainInterval/10)
	}
}

// once does what is due. Pressed, somebody waits for room.
func (m *upkeep) once(ctx context.Context, eng *engine.Engine, pressed bool) {
	q, now := m.q, time.Now()
	q.store.Clock.Look(now)
	for _, l := range q.allLanes() {
		l.pull.nudge(now)
	}
	q.cached.refresh(ctx, now)
	if !q.base.keeps() {
		return
	}
	m.seen = q.upkeep.followRemoved(ctx, eng, m.seen)
	near := q.upkeep.watchLevel()
	if near || pressed || q.store.Space.Low(now) {
		q.upkeep.makeRoom(ctx, eng, near)
	}
	if now.Sub(m.trimmed) >= trimInterval {
		m.trimmed = now
		q.upkeep.trim(ctx, eng, q.store.Options.Keep)
	}
}

// trim removes what is older than keep, and reports whether that went well.
func (m *upkeep) trim(ctx context.Context, eng *engine.Engine, keep time.Duration) bool {
	err := m.q.base.trim(ctx, eng, keep)
	if err != nil && ctx.Err() == nil {
		m.q.store.Log.Warn("finished records not trimmed", "err", err)
	}
	return err == nil
}

// followRemoved has what is left counted after records expired or an operator
// deleted some, and returns what was seen.
func (m *upkeep) followRemoved(ctx context.Context, eng *engine.Engine, seen map[string]journal.Removal) map[string]journal.Removal {
	removed := m.q.cached.removals()
	for stream, now := range removed {
		if before, known := seen[stream]; known && before != now {
			m.q.base.removed(ctx, eng, stream)
		}
	}
	return removed
}

func (s *statsCache) removals() map[string]journal.Removal {
	s.q.cached.mu.Lock()
	defer s.q.cached.mu.Unlock()
	return s.q.cached.removed
}

// watchLevel reports whether the queue is near its limit, and calls the owner
// once when it gets there, or when the disk has nothing left but its reserve.
func (m *upkeep) watchLevel() (near bool) {
	spent := m.q.store.Space.Spent(time.Now())
	m.q.cached.mu.Lock()
	bytes, was := m.q.cached.bytes, m.q.cached.high
	near = float64(bytes) > engine.HighPart*float64(m.q.store.Options.MaxBytes) || was && float64(bytes) > calmPart*float64(m.q.store.Options.MaxBytes)
	m.q.cached.high = near || spent
	m.q.cached.mu.Unlock()
	if (near || spent) && !was {
		m.q.store.Options.OnHigh(bytes, m.q.store.Options.MaxBytes)
	}
	return near
}

// makeRoom trims what is finished, however young. If that is not enough for the
// queue's own limit, the service that holds most gives up its oldest deliveries:
// so one dead endpoint cannot stop intake for all. A disk that others fill takes
// none of them: dead letters would lie there, too.
func (m *upkeep) makeRoom(ctx context.Context, eng *engine.Engine, overflow bool) {
	if !m.trim(ctx, eng, 0) || m.q.cached.ask(ctx, eng) != nil || !overflow {
		return
	}
	excess := m.q.cached.held() - int64(calmPart*float64(m.q.store.Options.MaxBytes))
	service, held := m.largest()
	if excess <= 0 || held.Waiting+held.Parked == 0 {
		return
	}
	count := int(excess/max(held.Bytes/int64(held.Waiting+held.Parked+held.InFlight), 1)) + 1
	n, err := m.q.burial.sweep(ctx, service, time.Now(), count, record.Death{Reason: record.ReasonOverflow, Error: "the queue is nearly full"})
	if n > 0 {
		m.q.store.Log.Error("deliveries given up to make room", "service", service, "deliveries", n)
	}
	if err != nil {
		m.q.store.Log.Error("no room made", "service", service, "err", err)
		return
	}
	if m.trim(ctx, eng, 0) {
		_ = m.q.cached.ask(ctx, eng) // else in a second
	}
}

func (s *statsCache) held() int64 {
	s.q.cached.mu.Lock()
	defer s.q.cached.mu.Unlock()
	return s.q.cached.bytes
}

// largest returns the service with most bytes that wait.
func (m *upkeep) largest() (string, record.ServiceStats) {
	var name string
	var most record.ServiceStats
	for _, l := range m.q.allLanes() {
		if s := l.tally.stats(); s.Waiting+s.Parked > 0 && s.Bytes > most.Bytes {
			name, most = l.name, s
		}
	}
	return name, most
}
