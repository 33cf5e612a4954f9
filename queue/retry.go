package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// retries knows which records of RETRY are still needed, and removes those
// that are not.
type retries struct {
	mu    sync.Mutex
	known window   // open: needed
	gone  []uint64 // not needed, not deleted yet
	moved bool     // gone changed since it was saved
	wake  chan struct{}
}

// parkNote is what is stored beside a parked record.
func parkNote(e *Entry, p Parking, stamp string) note {
	n := note{}.with(headEvent, e.Event).withInt(headAccepted, e.stored).withInt(headOrigin, int64(e.Seq)).
		withInt(headAttempts, int64(p.Attempts)).withInt(headDue, p.Due.UnixMilli()).
		withInt(headStatus, int64(p.Status)).with(headReason, p.Reason)
	if p.Held {
		n = n.with(headHeld, "1")
	}
	if e.Replayed {
		n = n.with(headReplayed, "1")
	}
	return n.with(headKeeper, stamp)
}

// park stores e in RETRY and returns when that is on disk.
func (q *Queue) park(e *Entry, p Parking) (*parked, error) {
	if err := q.room(sizeOf(&e.Record)); err != nil {
		return nil, err
	}
	term := q.base.term()
	seq, err := q.retry.write(e.Record, parkNote(e, p, q.base.stamp(term)), "")
	if err != nil {
		return nil, fmt.Errorf("park delivery: %w", err)
	}
	return q.keepParked(e, p, seq, term), nil
}

// parkAll parks entries of an ordered lane behind the heads of their calls.
func (q *Queue) parkAll(entries []*Entry) ([]*parked, error) {
	result := make(chan error, 1)
	g := &group{seqs: make([]uint64, len(entries)), keys: make([]string, len(entries)), done: func(err error) { result <- err }}
	var size int64
	term := q.base.term()
	for _, e := range entries {
		g.recs = append(g.recs, e.Record)
		g.notes = append(g.notes, parkNote(e, Parking{Attempts: e.Attempts, Due: time.UnixMilli(0)}, q.base.stamp(term)))
		size += sizeOf(&e.Record)
	}
	if err := q.room(size); err != nil {
		return nil, err
	}
	q.retry.add(g)
	if err := <-result; err != nil {
		return nil, fmt.Errorf("park deliveries: %w", err)
	}
	items := make([]*parked, len(entries))
	for i, e := range entries {
		items[i] = q.keepParked(e, Parking{Due: time.UnixMilli(0)}, g.seqs[i], term)
	}
	return items, nil
}

func (q *Queue) keepParked(e *Entry, p Parking, seq, term uint64) *parked {
	q.retries.keep(seq)
	return &parked{
		seq: seq, origin: e.Seq, due: sinceBegan(p.Due), accepted: e.stored,
		size: sizeOf(&e.Record), call: e.Call, held: p.Held, term: term,
	}
}

// owns reports whether a parked record is still this relay's to hand out.
func (q *Queue) owns(item *parked) bool { return item.term != 0 && item.term == q.base.term() }

// unpark reads a parked entry back. It returns ErrNotFound when it is gone.
func (q *Queue) unpark(ctx context.Context, l *Lane, item *parked) (*Entry, error) {
	m, err := q.get(ctx, retry, item.seq)
	if err != nil {
		return nil, err
	}
	return &Entry{
		Record: recordOfParked(m), Seq: item.origin, Accepted: q.clock.moment(item.accepted, time.Now()), stored: item.accepted, Attempts: int(headInt(m.Header, headAttempts)),
		Replayed: m.Header.Get(headReplayed) != "", lane: l, item: item,
	}, nil
}

func recordOfParked(m *nats.Msg) Record {
	r := readRecord(m)
	r.Event = m.Header.Get(headEvent)
	return r
}

// get reads one record of a stream.
func (q *Queue) get(ctx context.Context, stream string, seq uint64) (*nats.Msg, error) {
	eng := q.engine.Load()
	if eng == nil {
		return nil, ErrUnavailable
	}
	return q.base.read(ctx, eng, stream, seq)
}

// forgetParked removes a finished entry from RETRY, a little later and together
// with others. Until then it is in the list of what is gone, which is saved with
// the floors.
func (q *Queue) forgetParked(item *parked) {
	q.retries.forget(item.seq)
	q.stir()
}

func (r *retries) keep(seq uint64) {
	r.mu.Lock()
	r.known.take(seq)
	r.mu.Unlock()
}

// reset forgets what is needed, which is about to be read anew, and returns what
// is not deleted yet.
func (r *retries) reset() map[uint64]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = window{}
	gone := map[uint64]bool{}
	for _, seq := range r.gone {
		gone[seq] = true
	}
	return gone
}

func (r *retries) forget(seq uint64) {
	r.mu.Lock()
	r.known.done(seq)
	r.gone = append(r.gone, seq)
	r.moved = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// sweepRetry deletes what is gone from RETRY until the queue closes.
func (q *Queue) sweepRetry(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.retries.wake:
		}
		if err := q.deleteGone(ctx); err != nil {
			q.o.Log.Debug("finished retries not deleted yet", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(floorInterval): // so that many go together
		}
	}
}

// deleteGone deletes what is gone: with one purge what is below everything
// that is needed, when that is much, and the rest one by one.
func (q *Queue) deleteGone(ctx context.Context) error {
	q.moving.RLock()
	defer q.moving.RUnlock()
	q.retries.mu.Lock()
	gone := ascending(q.retries.gone)
	floor := q.retries.known.floor()
	q.retries.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	below := 0
	if q.base.alone() { // else what lies between may be another relay's
		below, _ = slices.BinarySearch(gone, floor+1)
	}
	err := q.remove(ctx, retry, func(ctx context.Context, eng *engine) error {
		rest := gone
		if below > deletesInFlight {
			if err := eng.purge(ctx, retry, "", floor+1); err != nil {
				return err
			}
			rest = gone[below:]
		}
		return eng.deleteEach(ctx, retry, rest)
	})
	if err == nil {
		q.retries.deleted(gone)
		q.stir()
	}
	return err
}

// deleted takes what was deleted off the list; more may have come meanwhile.
func (r *retries) deleted(gone []uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = slices.DeleteFunc(r.gone, func(seq uint64) bool {
		_, found := slices.BinarySearch(gone, seq)
		return found
	})
	r.moved = true
}

// recoverRetries reads what is parked. On the first call it fills the lanes;
// later ones, after a restart of the server, only remove what nobody knows:
// the copy of an entry whose parking was reported as failed.
func (q *Queue) recoverRetries(all []parkedRecord, first bool) {
	gone := map[uint64]bool{}
	for _, seq := range q.retries.gone {
		gone[seq] = true
	}
	for _, p := range all {
		switch {
		case gone[p.item.seq]:
		case first:
			q.retries.keep(p.item.seq)
			q.lane(p.service).restore(p.item)
		case !q.retries.needs(p.item.seq):
			q.retries.forget(p.item.seq)
		}
	}
}

func (r *retries) needs(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known.isOut(seq)
}

// headers are those of a record, from JetStream or from a block file.
type headers interface{ Get(key string) string }

// parkedIn reads a record that JetStream sent without its body.
func parkedIn(m *nats.Msg, at place, c *clock, term uint64) *parked {
	return parkedOf(serviceOf(m.Subject), m.Header, at.seq, at.at.UnixNano(), int(headInt(m.Header, "Nats-Msg-Size")), c, term)
}

// parkedOf reads what was stored beside a parked record. It comes due as long
// after it was parked as it was to, however the clock was set since.
func parkedOf(service string, h headers, seq uint64, stored int64, body int, c *clock, term uint64) *parked {
	r := Record{Service: service, Event: h.Get(headEvent), ID: h.Get(headID), Call: h.Get(headCall), Segment: h.Get(headSegment), Scope: h.Get(headScope)}
	due := sinceBegan(time.UnixMilli(0))
	if at := headInt(h, headDue); at != 0 {
		due = sinceBegan(c.moment(stored, time.Now())) + time.UnixMilli(at).Sub(time.Unix(0, stored))
	}
	return &parked{
		seq: seq, origin: uint64(headInt(h, headOrigin)), due: due, accepted: headInt(h, headAccepted),
		size: sizeOf(&r) + int64(body), call: r.Call, held: h.Get(headHeld) != "", term: term,
	}
}

// restore takes up an entry that was parked before the restart.
func (l *Lane) restore(item *parked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restored = max(l.restored, item.origin)
	if item.origin > l.win.floor() {
		l.lot.take(item)
	} else {
		l.lot.push(item)
	}
}
