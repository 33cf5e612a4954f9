package queue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// statsInterval is how old what JetStream told may be.
const statsInterval = time.Second

// statsCache holds what was last asked of JetStream.
type statsCache struct {
	q *Queue

	mu    sync.Mutex
	at    time.Time
	bytes int64
	dead  map[string]map[string]int
	high  bool

	removed map[string]journal.Removal // by stream
}

// Stats returns what the queue holds, at most a second old. Services that have
// records but that nobody serves are there too.
func (q *Queue) Stats() record.Stats {
	q.cached.refresh(q.store.Ctx, time.Now())
	q.cached.mu.Lock()
	s := record.Stats{Bytes: q.cached.bytes, MaxBytes: q.store.Options.MaxBytes, High: q.cached.high, Services: map[string]record.ServiceStats{}}
	for service, reasons := range q.cached.dead {
		s.Services[service] = record.ServiceStats{Dead: reasons}
	}
	q.cached.mu.Unlock()
	for _, l := range q.allLanes() {
		q.cached.peekOldest(q.store.Ctx, l)
		one := l.tally.stats()
		one.Dead = s.Services[l.name].Dead
		s.Services[l.name] = one
	}
	if b := q.base.bridge(); b != nil {
		b.AddTo(q.store.Ctx, &s)
	}
	return s
}

// stats counts what the lane holds.
func (t *tally) stats() record.ServiceStats {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	s := record.ServiceStats{
		Waiting:  t.l.q.base.waiting(t.l),
		InFlight: len(t.l.out),
		Parked:   len(t.l.retrying.lot.items) + t.l.pull.feed.elsewhere + t.l.retrying.unread,
	}
	for _, c := range t.l.order.chains {
		for _, f := range c.followers {
			if f.item != nil {
				s.Parked++
			}
		}
	}
	s.Bytes = int64(s.Waiting+s.InFlight+s.Parked) * int64(t.l.pull.feed.average)
	s.Oldest, s.Stalled = t.oldest(), t.l.stall.why != ""
	return s
}

// held is how many fresh entries the lane, which is locked, has in memory and
// not in flight.
func (t *tally) held() int {
	return len(t.l.fresh) - t.l.shadows + len(t.l.ready) + t.l.order.following
}

// oldest is when the oldest unfinished delivery was accepted, as far as the
// lane has seen it.
func (t *tally) oldest() time.Time {
	now := time.Now()
	var at time.Time
	see := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for e := range t.l.out {
		see(e.Accepted)
	}
	for _, e := range t.l.ready {
		see(e.Accepted)
	}
	if len(t.l.fresh) > 0 {
		see(t.l.fresh[0].Accepted)
	}
	for _, item := range t.l.retrying.lot.items {
		see(t.l.q.store.Clock.Moment(item.accepted, now))
	}
	if t.peeked.seq > t.l.win.High && t.l.pull.feed.waiting > 0 {
		see(t.peeked.at)
	}
	return at
}

// tally counts what a lane holds.
type tally struct {
	l      *Lane
	peeked peek
}

// peek is the first record that a lane has not been sent yet.
type peek struct {
	seq uint64
	at  time.Time
}

// peekOldest looks at the first waiting record of a lane that has nothing in
// memory, as while its endpoint is down.
func (s *statsCache) peekOldest(ctx context.Context, l *Lane) {
	l.mu.Lock()
	from := l.win.High + 1
	needless := l.pull.feed.waiting <= 0 || len(l.fresh)+len(l.ready)+len(l.out) > 0 || l.tally.peeked.seq >= from
	l.mu.Unlock()
	eng := s.q.store.Engine()
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
	l.tally.peeked = peek{seq, at}
	l.mu.Unlock()
}

// refresh asks JetStream when its last word is too old.
func (s *statsCache) refresh(ctx context.Context, now time.Time) {
	s.q.cached.mu.Lock()
	fresh := now.Sub(s.q.cached.at) < statsInterval
	if !fresh {
		s.q.cached.at = now
	}
	s.q.cached.mu.Unlock()
	eng := s.q.store.Engine()
	if fresh || eng == nil {
		return
	}
	if err := s.ask(ctx, eng); err != nil {
		s.q.store.Log.Debug("stream state not read", "err", err)
	}
}

func (s *statsCache) ask(ctx context.Context, eng *engine.Engine) error {
	bytes, removed, err := s.q.store.Measure(ctx, eng)
	if err != nil {
		return err
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
	if err := s.q.base.count(ctx, eng); err != nil {
		return err
	}
	s.q.cached.mu.Lock()
	s.q.cached.bytes, s.q.cached.dead, s.q.cached.removed = bytes, letters, removed
	s.q.cached.mu.Unlock()
	return nil
}

// recount corrects the counts of lanes some of whose waiting records an operator
// may have purged.
func (s *statsCache) recount(ctx context.Context, eng *engine.Engine) {
	for _, l := range s.q.allLanes() {
		if err := l.pull.recount(ctx, eng); err != nil && ctx.Err() == nil {
			s.q.store.Log.Debug("waiting records not counted anew", "service", l.name, "err", err)
		}
	}
}

// recount asks the lane's consumer what it has still to send. What it has sent
// and the lane has not seen yet counts as waiting too; no commit runs meanwhile,
// so that no record is counted twice.
func (p *puller) recount(ctx context.Context, eng *engine.Engine) error {
	p.l.q.store.Events.CommitMu.Lock()
	defer p.l.q.store.Events.CommitMu.Unlock()
	p.l.mu.Lock()
	needless := p.feed.eng != eng || p.feed.waiting <= 0
	p.l.tally.peeked = peek{} // it may be gone
	p.l.mu.Unlock()
	if needless {
		return nil
	}
	info, err := eng.Consumer(ctx, p.l.name)
	if err != nil {
		return err
	}
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	if p.feed.eng == eng {
		p.feed.waiting = max(int(info.NumPending)+int(info.Delivered.Consumer)-int(p.feed.nth), 0)
	}
	return nil
}
