package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// statsInterval is how old what JetStream told may be.
const statsInterval = time.Second

// statsCache holds what was last asked of JetStream.
type statsCache struct {
	mu    sync.Mutex
	at    time.Time
	bytes int64
	dead  map[string]map[string]int
	high  bool

	removed map[string]removal // by stream
}

// removal tells whether records were removed from a stream.
type removal struct {
	first   uint64 // sequence that is there
	deleted int    // above it
}

// Stats returns what the queue holds, at most a second old. Services that have
// records but that nobody serves are there too.
func (q *Queue) Stats() record.Stats {
	q.refresh(q.ctx, time.Now())
	q.cached.mu.Lock()
	s := record.Stats{Bytes: q.cached.bytes, MaxBytes: q.o.MaxBytes, High: q.cached.high, Services: map[string]record.ServiceStats{}}
	for service, reasons := range q.cached.dead {
		s.Services[service] = record.ServiceStats{Dead: reasons}
	}
	q.cached.mu.Unlock()
	for _, l := range q.allLanes() {
		q.peekOldest(q.ctx, l)
		one := l.stats()
		one.Dead = s.Services[l.name].Dead
		s.Services[l.name] = one
	}
	if b := q.base.bridge(); b != nil {
		b.addTo(&s, b.count(q.ctx))
	}
	return s
}

// stats counts what the lane holds.
func (l *Lane) stats() record.ServiceStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := record.ServiceStats{
		Waiting:  l.q.base.waiting(l),
		InFlight: len(l.out),
		Parked:   len(l.lot.items) + l.feed.elsewhere + l.unread,
	}
	for _, c := range l.chains {
		for _, f := range c.followers {
			if f.item != nil {
				s.Parked++
			}
		}
	}
	s.Bytes = int64(s.Waiting+s.InFlight+s.Parked) * int64(l.feed.average)
	s.Oldest, s.Stalled = l.oldest(), l.stall.why != ""
	return s
}

// held is how many fresh entries the lane, which is locked, has in memory and
// not in flight.
func (l *Lane) held() int { return len(l.fresh) - l.shadows + len(l.ready) + l.following }

// oldest is when the oldest unfinished delivery was accepted, as far as the
// lane has seen it.
func (l *Lane) oldest() time.Time {
	now := time.Now()
	var at time.Time
	see := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for e := range l.out {
		see(e.Accepted)
	}
	for _, e := range l.ready {
		see(e.Accepted)
	}
	if len(l.fresh) > 0 {
		see(l.fresh[0].Accepted)
	}
	for _, item := range l.lot.items {
		see(l.q.clock.Moment(item.accepted, now))
	}
	if l.peeked.seq > l.win.High && l.feed.waiting > 0 {
		see(l.peeked.at)
	}
	return at
}

// peek is the first record that a lane has not been sent yet.
type peek struct {
	seq uint64
	at  time.Time
}

// peekOldest looks at the first waiting record of a lane that has nothing in
// memory, as while its endpoint is down.
func (q *Queue) peekOldest(ctx context.Context, l *Lane) {
	l.mu.Lock()
	from := l.win.High + 1
	needless := l.feed.waiting <= 0 || len(l.fresh)+len(l.ready)+len(l.out) > 0 || l.peeked.seq >= from
	l.mu.Unlock()
	eng := q.engine.Load()
	if needless || eng == nil {
		return
	}
	m, seq, err := eng.GetDirect(ctx, record.Events, fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q}`, from, eng.Subject("events."+l.name+".>")))
	if err != nil {
		return
	}
	at, err := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
	if err != nil {
		return
	}
	l.mu.Lock()
	l.peeked = peek{seq, at}
	l.mu.Unlock()
}

// refresh asks JetStream when its last word is too old.
func (q *Queue) refresh(ctx context.Context, now time.Time) {
	q.cached.mu.Lock()
	fresh := now.Sub(q.cached.at) < statsInterval
	if !fresh {
		q.cached.at = now
	}
	q.cached.mu.Unlock()
	eng := q.engine.Load()
	if fresh || eng == nil {
		return
	}
	if err := q.ask(ctx, eng); err != nil {
		q.o.Log.Debug("stream state not read", "err", err)
	}
}

func (q *Queue) ask(ctx context.Context, eng *engine.Engine) error {
	sizes, removed := map[string]int64{}, map[string]removal{}
	for _, name := range []string{record.Events, record.Retry, record.Dead} {
		s, err := eng.Stream(ctx, name)
		if q.watchStreams(name, s, err); err != nil {
			return err
		}
		state := s.CachedInfo().State
		sizes[name], removed[name] = int64(state.Bytes), removal{state.FirstSeq, state.NumDeleted}
	}
	counts, err := eng.SubjectCounts(ctx, record.Dead)
	if err != nil {
		return err
	}
	letters := map[string]map[string]int{}
	for subject, n := range counts {
		service := record.ServiceOf(subject)
		if letters[service] == nil {
			letters[service] = map[string]int{}
		}
		letters[service][subject[strings.LastIndexByte(subject, '.')+1:]] = int(n)
	}
	if err := q.base.count(ctx, eng); err != nil {
		return err
	}
	bytes := sizes[record.Events] + sizes[record.Retry]
	q.space.Count(bytes)
	q.deadSpace.Count(sizes[record.Dead])
	q.cached.mu.Lock()
	q.cached.bytes, q.cached.dead, q.cached.removed = bytes, letters, removed
	q.cached.mu.Unlock()
	return nil
}

// recount corrects the counts of lanes some of whose waiting records an operator
// may have purged.
func (q *Queue) recount(ctx context.Context, eng *engine.Engine) {
	for _, l := range q.allLanes() {
		if err := l.recount(ctx, eng); err != nil && ctx.Err() == nil {
			q.o.Log.Debug("waiting records not counted anew", "service", l.name, "err", err)
		}
	}
}

// recount asks the lane's consumer what it has still to send. What it has sent
// and the lane has not seen yet counts as waiting too; no commit runs meanwhile,
// so that no record is counted twice.
func (l *Lane) recount(ctx context.Context, eng *engine.Engine) error {
	l.q.events.CommitMu.Lock()
	defer l.q.events.CommitMu.Unlock()
	l.mu.Lock()
	needless := l.feed.eng != eng || l.feed.waiting <= 0
	l.peeked = peek{} // it may be gone
	l.mu.Unlock()
	if needless {
		return nil
	}
	info, err := eng.Consumer(ctx, l.name)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.feed.eng == eng {
		l.feed.waiting = max(int(info.NumPending)+int(info.Delivered.Consumer)-int(l.feed.nth), 0)
	}
	return nil
}
