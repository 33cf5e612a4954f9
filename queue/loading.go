package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

const (
	// loadFirst is how many of the newest ids are read before anything is taken:
	// what was on its way when the process was killed is sent again first.
	loadFirst = 10_000
	// loadStep is how many ids are taken up at a time, between two commits.
	loadStep = 512
)

// loading takes up what EVENTS and RETRY hold from before this process: the ids
// of the window, and what is parked. A million of either takes JetStream some
// seconds to tell, so little of it is read before the queue takes records, and
// the rest beside its work. Until all is read an ordered lane hands out nothing,
// and a second copy of a record whose id was read too late is taken back.
type loading struct {
	q      *Queue
	ids    engine.Span // of EVENTS, still to be read
	newest time.Time
	parked engine.Span        // of RETRY
	latest map[uint64]*parked // what was read of it first, by sequence in EVENTS
	over   atomic.Bool
	done   chan struct{} // closed when it is over
}

func newLoading(q *Queue) *loading { return &loading{q: q, done: make(chan struct{})} }

// begin reads what must be known before the queue takes records: the newest ids,
// and what was parked since the floors were saved, for that may lie in EVENTS
// still.
func (l *loading) begin(ctx context.Context, eng *engine.Engine) error {
	if err := l.beginIDs(ctx, eng); err != nil {
		return err
	}
	s, err := eng.Stream(ctx, record.Retry)
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	l.parked = engine.Span{From: state.FirstSeq, To: l.q.retries.clamp(state.LastSeq)}
	if err = l.readNewest(ctx, eng, engine.Span{From: max(l.parked.To+1, state.FirstSeq), To: state.LastSeq}); err != nil || state.Msgs == 0 {
		l.parked = engine.Span{From: 1, To: 0}
		return err
	}
	return l.countUnread(ctx, eng)
}

// readNewest takes up what was parked since the floors were saved. A delivery
// that lies there twice was being parked once more when the process ended: the
// later copy is the one.
func (l *loading) readNewest(ctx context.Context, eng *engine.Engine, s engine.Span) error {
	type found struct {
		lane *Lane
		item *parked
	}
	var all []found
	l.latest = map[uint64]*parked{}
	err := l.readParked(ctx, eng, s, func(lane *Lane, item *parked) {
		all = append(all, found{lane, item})
		l.latest[item.origin] = item
	})
	for _, one := range all {
		if !l.outdated(one.item) {
			one.lane.restore(one.item)
		}
	}
	return err
}

// outdated reports whether there is a later copy of a parked delivery, and has
// the earlier one deleted.
func (l *loading) outdated(item *parked) bool {
	later := l.latest[item.origin]
	if later == nil || later.key != item.key || later.seq <= item.seq {
		return false
	}
	l.q.forgetParked(item)
	return true
}

// beginIDs reads the newest ids. The window ends with the newest record, so that
// it is right however the clock was set since.
func (l *loading) beginIDs(ctx context.Context, eng *engine.Engine) error {
	ids := journal.NewRecent(l.q.o.DedupWindow)
	l.q.events.Recent = ids
	s, err := eng.Stream(ctx, record.Events)
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	l.newest = state.LastTime
	if now := time.Now(); l.newest.After(now) {
		l.newest = now
	}
	l.ids = engine.Span{From: 1, To: 0}
	first, err := eng.SeqSince(ctx, record.Events, l.newest.Add(-l.q.o.DedupWindow))
	if state.Msgs == 0 || errors.Is(err, record.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if state.LastSeq > journal.MaxIDs/2 {
		first = max(first, state.LastSeq-journal.MaxIDs/2)
	}
	if state.LastSeq >= first+loadFirst {
		l.ids = engine.Span{From: first, To: state.LastSeq - loadFirst}
		ids.Fresh = map[journal.Hash128]journal.Lying{}
	}
	return l.readIDs(ctx, eng, engine.Span{From: max(first, state.LastSeq-min(loadFirst, state.LastSeq)+1), To: state.LastSeq}, func(known []knownID) {
		for _, id := range known {
			ids.Add(id.hash, id.at, struct{}{})
		}
	})
}

// countUnread has the lanes count what is parked and not read yet.
func (l *loading) countUnread(ctx context.Context, eng *engine.Engine) error {
	if l.parked.From > l.parked.To {
		return nil
	}
	counts, err := eng.ServiceCounts(ctx, record.Retry)
	if err != nil {
		return err
	}
	delete(counts, markService)
	for service, n := range counts {
		lane := l.q.lane(service)
		lane.mu.Lock()
		lane.unread = max(n-lane.lot.Len(), 0)
		lane.mu.Unlock()
	}
	return nil
}

// run reads the rest, through whatever engine runs.
func (l *loading) run(ctx context.Context) {
	for l.q.engine.Load() == nil || !l.step(ctx, l.q.engine.Load()) {
		if engine.Pause(ctx, reattachPause); ctx.Err() != nil {
			return
		}
	}
	l.end()
}

// step reads on, and reports whether that was all.
func (l *loading) step(ctx context.Context, eng *engine.Engine) bool {
	err := l.readIDs(ctx, eng, l.ids, func(known []knownID) {
		l.takeUp(ctx, known)
		l.ids.From = known[len(known)-1].seq + 1
	})
	if err == nil {
		l.ids = engine.Span{From: 1, To: 0}
		err = l.readParked(ctx, eng, l.parked, func(lane *Lane, item *parked) {
			if !l.outdated(item) {
				lane.unparked(item)
			}
			l.parked.From = item.seq + 1
		})
	}
	if err != nil && ctx.Err() == nil {
		l.q.o.Log.Debug("stored records not all read yet", "err", err)
	}
	return err == nil
}

// end lets the ordered lanes go.
func (l *loading) end() {
	c := l.q.events
	c.CommitMu.Lock()
	c.Recent.Fresh = nil
	c.CommitMu.Unlock()
	for _, lane := range l.q.allLanes() {
		lane.mu.Lock()
		lane.unread = 0
		if lane.chains != nil {
			lane.dropChains()
			lane.formChains()
		}
		lane.mu.Unlock()
	}
	l.over.Store(true)
	close(l.done)
	for _, lane := range l.q.allLanes() {
		lane.poke()
	}
}

// knownID is the id of a record.
type knownID struct {
	hash journal.Hash128
	at   time.Time
	seq  uint64
}

// readIDs passes the ids in a part of EVENTS on, some at a time.
func (l *loading) readIDs(ctx context.Context, eng *engine.Engine, s engine.Span, take func([]knownID)) error {
	var some []knownID
	hash := l.q.events.Recent.Hash
	err := eng.ReadSpan(ctx, record.Events, s, func(m *nats.Msg, at record.Place) {
		moment := time.Now().Add(-max(l.newest.Sub(at.At), 0))
		some = append(some, knownID{hash(record.IDOf(m.Header)), moment, at.Seq})
		if claim := m.Header.Get(record.HeadClaim); claim != "" {
			l.q.events.Claims.Stake(claim, moment)
		}
		if len(some) == loadStep {
			take(some)
			some = some[:0]
		}
	})
	if len(some) > 0 {
		take(some)
	}
	return err
}

// takeUp adds ids, and takes back what was stored meanwhile under one of them.
func (l *loading) takeUp(ctx context.Context, known []knownID) {
	c := l.q.events
	var copies []journal.Lying
	c.CommitMu.Lock()
	for _, id := range known {
		at, stored := c.Recent.Fresh[id.hash]
		if _, known := c.Recent.Add(id.hash, id.at, struct{}{}); known && stored && at.Seq > id.seq {
			copies = append(copies, at)
		}
	}
	c.CommitMu.Unlock()
	for _, at := range copies {
		if err := l.q.takeBack(ctx, at); err != nil {
			l.q.o.Log.Warn("a record stored twice after the start was not taken back", "service", at.Service, "err", err)
		}
	}
}

// takeBack deletes a record of EVENTS that is a copy, unless it is under way.
func (q *Queue) takeBack(ctx context.Context, at journal.Lying) error {
	q.moving.RLock()
	defer q.moving.RUnlock()
	l := q.lane(at.Service)
	l.letGo(erasing{stored: map[uint64]bool{at.Seq: true}})
	err := q.remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
		return eng.DeleteEach(ctx, record.Events, []uint64{at.Seq})
	})
	l.mu.Lock()
	l.erasing = erasing{}
	l.mu.Unlock()
	return err
}

// readParked passes what is parked in a part of RETRY on, but for what is
// finished, or known already.
func (l *loading) readParked(ctx context.Context, eng *engine.Engine, s engine.Span, take func(*Lane, *parked)) error {
	gone := record.SetOf(l.q.retries.notDeleted())
	return eng.ReadSpan(ctx, record.Retry, s, func(m *nats.Msg, at record.Place) {
		service := record.ServiceOf(m.Subject)
		if service != markService && !gone[at.Seq] && l.q.retries.keep(at.Seq) { // a mark is of a start that was cut short
			take(l.q.lane(service), l.q.parkedIn(m, at, embeddedTerm))
		}
	})
}

// restore takes up an entry that was parked shortly before a crash, which may
// have kept it from being released in EVENTS.
func (l *Lane) restore(item *parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restored = max(l.restored, item.origin)
	if item.origin > l.win.High || l.win.IsOpen(item.origin) {
		l.lot.take(item)
	} else {
		l.lot.push(item)
	}
}

// unparked takes up an entry that was parked long before.
func (l *Lane) unparked(item *parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restored = max(l.restored, item.origin)
	l.unread = max(l.unread-1, 0)
	if l.wokenAll || l.wokenHeld && item.held {
		item.due = min(item.due, journal.SinceBegan(time.Now()))
	}
	l.lot.push(item)
	if l.lot.items[0] == item {
		l.poke()
	}
}
