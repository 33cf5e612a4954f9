package queue

import (
	"context"
	"time"
)

const (
	maintainInterval = time.Second
	trimInterval     = time.Minute

	highPart = 0.80 // of MaxBytes: from here on room is made
	calmPart = 0.75 // down to here
)

// maintain watches what the streams hold, trims what is finished and makes
// room when there is little, until the queue closes.
func (q *Queue) maintain(ctx context.Context) {
	trimmed := time.Now()
	seen := q.removed()
	for eng := range q.engines(ctx, maintainInterval) {
		if eng == nil {
			continue
		}
		now := time.Now()
		q.clock.look(now)
		for _, l := range q.allLanes() {
			l.nudge(now)
		}
		q.refresh(ctx, now)
		if !q.base.keeps() {
			continue
		}
		seen = q.followRemoved(ctx, eng, seen)
		if q.watchLevel() {
			q.makeRoom(ctx, eng)
		}
		if now.Sub(trimmed) < trimInterval {
			continue
		}
		trimmed = now
		if err := q.base.trim(ctx, eng, q.o.Keep); err != nil && ctx.Err() == nil {
			q.o.Log.Warn("finished records not trimmed", "err", err)
		}
	}
}

// followRemoved has what is left counted after records expired or an operator
// deleted some, and returns what was seen.
func (q *Queue) followRemoved(ctx context.Context, eng *engine, seen map[string]removal) map[string]removal {
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

// watchLevel reports whether the queue is near its limit, and tells the owner
// once when it gets there.
func (q *Queue) watchLevel() bool {
	q.cached.mu.Lock()
	bytes, was := q.cached.bytes, q.cached.high
	high := float64(bytes) > highPart*float64(q.o.MaxBytes)
	if was && float64(bytes) > calmPart*float64(q.o.MaxBytes) {
		high = true
	}
	q.cached.high = high
	q.cached.mu.Unlock()
	if high && !was {
		q.o.OnHigh(bytes, q.o.MaxBytes)
	}
	return high
}

// makeRoom trims what is finished, however young. If that is not enough, the
// service that holds most gives up its oldest deliveries: so one dead endpoint
// cannot stop intake for all.
func (q *Queue) makeRoom(ctx context.Context, eng *engine) {
	if err := q.base.trim(ctx, eng, 0); err != nil {
		q.o.Log.Warn("finished records not trimmed", "err", err)
		return
	}
	if err := q.ask(ctx, eng); err != nil {
		return
	}
	excess := q.bytes() - int64(calmPart*float64(q.o.MaxBytes))
	service, held := q.largest()
	if excess <= 0 || held.Waiting+held.Parked == 0 {
		return
	}
	count := int(excess/max(held.Bytes/int64(held.Waiting+held.Parked+held.InFlight), 1)) + 1
	n, err := q.sweep(ctx, service, time.Now(), count, Death{Reason: ReasonOverflow, Error: "the queue is nearly full"})
	if n > 0 {
		q.o.Log.Error("deliveries given up to make room", "service", service, "deliveries", n)
	}
	if err != nil {
		q.o.Log.Error("no room made", "service", service, "err", err)
		return
	}
	if err := q.base.trim(ctx, eng, 0); err != nil {
		q.o.Log.Warn("finished records not trimmed", "err", err)
	}
}

// ReasonOverflow is the reason of dead letters that the queue makes itself.
const ReasonOverflow = "overflow"

func (q *Queue) bytes() int64 {
	q.cached.mu.Lock()
	defer q.cached.mu.Unlock()
	return q.cached.bytes
}

// largest returns the service with most bytes that wait.
func (q *Queue) largest() (string, ServiceStats) {
	var name string
	var most ServiceStats
	for _, l := range q.allLanes() {
		if s := l.stats(); s.Waiting+s.Parked > 0 && s.Bytes > most.Bytes {
			name, most = l.name, s
		}
	}
	return name, most
}
