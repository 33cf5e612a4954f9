package queue

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// loading takes up what EVENTS and RETRY hold from before this process: the ids
// of the window, and what is parked. A million of either takes JetStream some
// seconds to tell, so little of it is read before the queue takes records, and
// the rest beside its work. Until all is read an ordered lane hands out nothing,
// and a second copy of a record whose id was read too late is taken back.
type loading struct {
	q      *Queue
	known  *journal.Known
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
	var err error
	if l.known, err = l.q.store.BeginKnown(ctx, eng); err != nil {
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
			one.lane.retrying.restore(one.item)
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
	l.q.retries.finish(item)
	return true
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
	delete(counts, journal.MarkService)
	for service, n := range counts {
		lane := l.q.lane(service)
		lane.mu.Lock()
		lane.retrying.unread = max(n-lane.retrying.lot.Len(), 0)
		lane.mu.Unlock()
	}
	return nil
}

// run reads the rest, through whatever engine runs.
func (l *loading) run(ctx context.Context) {
	l.known.Run(ctx, l.q.loading.takeBack)
	for eng := l.q.store.Engine(); eng == nil || !l.step(ctx, eng); eng = l.q.store.Engine() {
		if engine.Pause(ctx, reattachPause); ctx.Err() != nil {
			return
		}
	}
	l.end()
}

// step reads on in RETRY, and reports whether that was all.
func (l *loading) step(ctx context.Context, eng *engine.Engine) bool {
	err := l.readParked(ctx, eng, l.parked, func(lane *Lane, item *parked) {
		if !l.outdated(item) {
			lane.retrying.unparked(item)
		}
		l.parked.From = item.seq + 1
	})
	if err != nil && ctx.Err() == nil {
		l.q.store.Log.Debug("parked records not all read yet", "err", err)
	}
	return err == nil
}

// end lets the ordered lanes go.
func (l *loading) end() {
	for _, lane := range l.q.allLanes() {
		lane.mu.Lock()
		lane.retrying.unread = 0
		if lane.order.chains != nil {
			lane.order.drop()
			lane.order.form()
		}
		lane.mu.Unlock()
	}
	l.over.Store(true)
	close(l.done)
	for _, lane := range l.q.allLanes() {
		lane.poke()
	}
}

// takeBack deletes a record of EVENTS that is a copy, unless it is under way.
func (l *loading) takeBack(ctx context.Context, at journal.Lying) error {
	l.q.store.Moving.RLock()
	defer l.q.store.Moving.RUnlock()
	lane := l.q.lane(at.Service)
	lane.eraser.letGo(erasing{stored: map[uint64]bool{at.Seq: true}})
	err := l.q.store.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
		return eng.DeleteEach(ctx, record.Events, []uint64{at.Seq})
	})
	lane.mu.Lock()
	lane.eraser.erasing = erasing{}
	lane.mu.Unlock()
	return err
}

// readParked passes what is parked in a part of RETRY on, but for what is
// finished, or known already.
func (l *loading) readParked(ctx context.Context, eng *engine.Engine, s engine.Span, take func(*Lane, *parked)) error {
	gone := record.SetOf(l.q.retries.notDeleted())
	return eng.ReadSpan(ctx, record.Retry, s, func(m *nats.Msg, at record.Place) {
		service := record.ServiceOf(m.Subject)
		if service != journal.MarkService && !gone[at.Seq] && l.q.retries.keep(at.Seq) { // a mark is of a start that was cut short
			take(l.q.lane(service), l.q.parking.read(m, at, embeddedTerm))
		}
	})
}

// retrying is what a lane has in RETRY. Its fields are guarded by the lane's mutex.
type retrying struct {
	l         *Lane
	lot       parkingLot // by the time they come due
	unread    int        // what is parked and not read yet, see [loading]
	wokenAll  bool       // so is this: Wake came meanwhile
	wokenHeld bool
}

// restore takes up an entry that was parked shortly before a crash, which may
// have kept it from being released in EVENTS.
func (r *retrying) restore(item *parked) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.l.order.restored = max(r.l.order.restored, item.origin)
	if item.origin > r.l.win.High || r.l.win.IsOpen(item.origin) {
		r.lot.take(item)
	} else {
		r.lot.push(item)
	}
}

// unparked takes up an entry that was parked long before.
func (r *retrying) unparked(item *parked) {
	r.l.mu.Lock()
	defer r.l.mu.Unlock()
	r.l.order.restored = max(r.l.order.restored, item.origin)
	r.unread = max(r.unread-1, 0)
	if r.wokenAll || r.wokenHeld && item.held {
		item.due = min(item.due, journal.SinceBegan(time.Now()))
	}
	r.lot.push(item)
	if r.lot.items[0] == item {
		r.l.poke()
	}
}
