package queue

import (
	"context"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	maintainInterval = time.Second
	trimInterval     = time.Minute

	calmPart = 0.75 // of MaxBytes: room is made down to here
)

// maintain watches what the streams hold, trims what is finished and makes
// room when there is little, until the queue closes.
func (q *Queue) maintain(ctx context.Context) {
	tick := time.NewTicker(maintainInterval)
	defer tick.Stop()
	m := &upkeep{q: q, trimmed: time.Now(), seen: q.removed()}
	for {
		pressed := false
		select {
		case <-ctx.Done():
			return
		case <-q.pressure.Wake:
			pressed = true
		case <-tick.C:
		}
		before := q.space.Level()
		if eng := q.engine.Load(); eng != nil {
			m.once(ctx, eng, pressed)
		}
		if pressed {
			gave := q.space.Level() < before
			if gave {
				q.awaitRoom(ctx)
			}
			q.pressure.Relieve(gave)
		}
	}
}

// awaitRoom waits for the files of what was given up, which JetStream removes in
// its own time.
func (q *Queue) awaitRoom(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maintainInterval)
	defer cancel()
	for q.space.Spent(time.Now()) && ctx.Err() == nil {
		engine.Pause(ctx, maintainInterval/10)
	}
}

// upkeep is what maintain remembers from one time to the next.
type upkeep struct {
	q       *Queue
	trimmed time.Time
	seen    map[string]removal
}

// once does what is due. Pressed, somebody waits for room.
func (m *upkeep) once(ctx context.Context, eng *engine.Engine, pressed bool) {
	q, now := m.q, time.Now()
	q.clock.Look(now)
	for _, l := range q.allLanes() {
		l.nudge(now)
	}
	q.refresh(ctx, now)
	if q.base.disk() != "" && !q.space.Low(now) {
		q.folder.LoadBallast()
	}
	if !q.base.keeps() {
		return
	}
	m.seen = q.followRemoved(ctx, eng, m.seen)
	near := q.watchLevel()
	if near || pressed || q.space.Low(now) {
		q.makeRoom(ctx, eng, near)
	}
	if now.Sub(m.trimmed) >= trimInterval {
		m.trimmed = now
		q.trimmed(ctx, eng, q.o.Keep)
	}
}

// trimmed trims what is older than keep, and reports whether that went well.
func (q *Queue) trimmed(ctx context.Context, eng *engine.Engine, keep time.Duration) bool {
	err := q.base.trim(ctx, eng, keep)
	if err != nil && ctx.Err() == nil {
		q.o.Log.Warn("finished records not trimmed", "err", err)
	}
	return err == nil
}

// followRemoved has what is left counted after records expired or an operator
// deleted some, and returns what was seen.
func (q *Queue) followRemoved(ctx context.Context, eng *engine.Engine, seen map[string]removal) map[string]removal {
	removed := q.removed()
	for stream, now := range removed {
		if before, known := seen[stream]; known && before != now {
			q.base.removed(ctx, eng, stream)
		}
	}
	return removed
}

func (q *Queue) removed() map[string]removal {
	q.cached.mu.Lock()
	defer q.cached.mu.Unlock()
	return q.cached.removed
}

// watchLevel reports whether the queue is near its limit, and calls the owner
// once when it gets there, or when the disk has nothing left but its reserve.
func (q *Queue) watchLevel() (near bool) {
	spent := q.space.Spent(time.Now())
	q.cached.mu.Lock()
	bytes, was := q.cached.bytes, q.cached.high
	near = float64(bytes) > engine.HighPart*float64(q.o.MaxBytes) || was && float64(bytes) > calmPart*float64(q.o.MaxBytes)
	q.cached.high = near || spent
	q.cached.mu.Unlock()
	if (near || spent) && !was {
		q.o.OnHigh(bytes, q.o.MaxBytes)
	}
	return near
}

// makeRoom trims what is finished, however young. If that is not enough for the
// queue's own limit, the service that holds most gives up its oldest deliveries:
// so one dead endpoint cannot stop intake for all. A disk that others fill takes
// none of them: dead letters would lie there, too.
func (q *Queue) makeRoom(ctx context.Context, eng *engine.Engine, overflow bool) {
	if !q.trimmed(ctx, eng, 0) || q.ask(ctx, eng) != nil || !overflow {
		return
	}
	excess := q.bytes() - int64(calmPart*float64(q.o.MaxBytes))
	service, held := q.largest()
	if excess <= 0 || held.Waiting+held.Parked == 0 {
		return
	}
	count := int(excess/max(held.Bytes/int64(held.Waiting+held.Parked+held.InFlight), 1)) + 1
	n, err := q.sweep(ctx, service, time.Now(), count, record.Death{Reason: record.ReasonOverflow, Error: "the queue is nearly full"})
	if n > 0 {
		q.o.Log.Error("deliveries given up to make room", "service", service, "deliveries", n)
	}
	if err != nil {
		q.o.Log.Error("no room made", "service", service, "err", err)
		return
	}
	if q.trimmed(ctx, eng, 0) {
		_ = q.ask(ctx, eng) // else in a second
	}
}

func (q *Queue) bytes() int64 {
	q.cached.mu.Lock()
	defer q.cached.mu.Unlock()
	return q.cached.bytes
}

// largest returns the service with most bytes that wait.
func (q *Queue) largest() (string, record.ServiceStats) {
	var name string
	var most record.ServiceStats
	for _, l := range q.allLanes() {
		if s := l.stats(); s.Waiting+s.Parked > 0 && s.Bytes > most.Bytes {
			name, most = l.name, s
		}
	}
	return name, most
}
