package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

// retries knows which records of RETRY are still needed, and removes those
// that are not.
type retries struct {
	q     *Queue
	mu    sync.Mutex
	known lane.Window // open: needed
	gone  []uint64    // not needed, not deleted yet
	// moving are those that were stored and are not released in EVENTS yet, and
	// up to parkedTo all are, as far as the floors tell.
	moving   map[uint64]bool
	parkedTo uint64
	moved    bool // gone changed since it was saved
	era      int  // how often RETRY was replaced
	wake     chan struct{}
}

// parking stores deliveries in RETRY and reads them back.
type parking struct{ q *Queue }

// parkNote is what is stored beside a parked record.
func parkNote(e *Entry, p Parking, stamp string) record.Note {
	return record.Note{}.With(record.HeadEvent, e.Event).WithInt(record.HeadAccepted, e.stored).WithInt(record.HeadOrigin, int64(e.Seq)).
		WithInt(record.HeadAttempts, int64(p.Attempts)).WithInt(record.HeadDue, p.Due.UnixMilli()).
		WithInt(record.HeadStatus, int64(p.Status)).With(record.HeadReason, p.Reason).
		WithFlag(record.HeadHeld, p.Held).WithFlag(record.HeadReplayed, e.Replayed).With(record.HeadKeeper, stamp)
}

// park stores entries in RETRY, all or none, and returns when that is on disk.
func (s *parking) park(entries []*Entry, how func(*Entry) Parking) ([]*parked, error) {
	g := &journal.Group{Seqs: make([]uint64, len(entries)), Keys: make([]string, len(entries))}
	term := s.q.base.term()
	for _, e := range entries {
		g.Recs, g.Notes = append(g.Recs, e.Record), append(g.Notes, parkNote(e, how(e), s.q.base.stamp(term)))
	}
	if err := s.q.store.Room(g.Size()); err != nil {
		return nil, err
	}
	if err := s.q.store.Retry.Store(g); err != nil {
		return nil, fmt.Errorf("park: %w", err)
	}
	items := make([]*parked, len(entries))
	for i, e := range entries {
		s.q.retries.keep(g.Seqs[i])
		p := how(e)
		items[i] = &parked{
			seq: g.Seqs[i], era: s.q.retries.current(), origin: e.Seq, due: journal.SinceBegan(p.Due), accepted: e.stored,
			size: record.SizeOf(&e.Record), key: record.Hash(&e.Record), call: e.Call, held: p.Held, term: term,
		}
	}
	return items, nil
}

// owns reports whether a parked record is still this relay's to hand out.
func (s *parking) owns(item *parked) bool { return item.term != 0 && item.term == s.q.base.term() }

// unpark reads a parked entry back. It returns ErrNotFound when it is gone.
func (s *parking) unpark(ctx context.Context, l *Lane, item *parked) (*Entry, error) {
	m, err := s.get(ctx, l.name, item)
	if err != nil {
		return nil, err
	}
	return &Entry{
		Record: recordOfParked(m), Seq: item.origin, Accepted: s.q.store.Clock.Moment(item.accepted, time.Now()), stored: item.accepted, Attempts: int(record.HeadInt(m.Header, record.HeadAttempts)),
		Replayed: m.Header.Get(record.HeadReplayed) != "", lane: l, item: item,
	}, nil
}

// errAnother means that another record lies where one was parked.
var errAnother = errors.New("another record lies there")

// get reads a record of RETRY, and holds it against what is known of it. A
// stream that was made anew gives its sequences again.
func (s *parking) get(ctx context.Context, service string, item *parked) (*nats.Msg, error) {
	m, err := s.q.store.Get(ctx, record.Retry, item.seq)
	if err != nil {
		return nil, err
	}
	if r := record.Read(m); r.Service != service || record.Hash(&r) != item.key {
		err = fmt.Errorf("%s: record %d: %w", record.Retry, item.seq, errAnother)
		s.q.store.Log.Error("parked delivery is gone", "service", service, "err", err)
		s.q.store.Fail(err)
		return nil, err
	}
	return m, nil
}

func recordOfParked(m *nats.Msg) record.Record {
	r := record.Read(m)
	r.Event = m.Header.Get(record.HeadEvent)
	return r
}

// finish removes a finished entry from RETRY, a little later and together
// with others. Until then it is in the list of what is gone, which is saved with
// the floors.
func (r *retries) finish(item *parked) {
	r.q.retries.forget(item)
	r.q.saving.stir()
}

// keep notes that a record is needed, and reports whether that is new.
func (r *retries) keep(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known.Hold(seq)
}

// stored notes that a record was parked.
func (r *retries) stored(seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known.Hold(seq)
	if r.moving == nil {
		r.moving = map[uint64]bool{}
	}
	r.moving[seq] = true
}

// release notes that what was parked is released in EVENTS.
func (r *retries) release(seq uint64) {
	r.mu.Lock()
	delete(r.moving, seq)
	r.mu.Unlock()
}

// released is the sequence up to which all that was parked is released.
func (r *retries) released() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.known.High
	for seq := range r.moving {
		to = min(to, seq-1)
	}
	return to
}

// clamp forgets what RETRY, which ends there, does not have, and returns up to
// where all that was parked is released.
func (r *retries) clamp(last uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = slices.DeleteFunc(r.gone, func(seq uint64) bool { return seq > last })
	r.parkedTo = min(r.parkedTo, last)
	r.known.High = max(r.known.High, r.parkedTo)
	return r.parkedTo
}

// notDeleted returns what is not needed and lies there still.
func (r *retries) notDeleted() []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gone)
}

// lose forgets all of a stream that is gone.
func (r *retries) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.era++
	r.known, r.gone, r.moving, r.parkedTo, r.moved = lane.Window{}, nil, nil, 0, true
}

func (r *retries) current() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.era
}

// reset forgets what is needed, which is about to be read anew, and returns what
// is not deleted yet.
func (r *retries) reset() map[uint64]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = lane.Window{}
	return record.SetOf(r.gone)
}

func (r *retries) forget(item *parked) {
	r.mu.Lock()
	if item.era == r.era {
		r.known.Done(item.seq)
		r.gone = append(r.gone, item.seq)
		r.moved = true
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// sweep deletes what is gone from RETRY until the queue closes.
func (r *retries) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.q.retries.wake:
		}
		if err := r.deleteGone(ctx); err != nil {
			r.q.store.Log.Debug("finished retries not deleted yet", "err", err)
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
func (r *retries) deleteGone(ctx context.Context) error {
	r.q.store.Moving.RLock()
	defer r.q.store.Moving.RUnlock()
	r.q.retries.mu.Lock()
	gone := record.Ascending(r.q.retries.gone)
	floor := r.q.retries.known.Floor()
	r.q.retries.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	below := 0
	if r.q.base.alone() && r.q.loading.over.Load() { // else what lies between may be needed
		below, _ = slices.BinarySearch(gone, floor+1)
	}
	err := r.q.store.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
		rest := gone
		if below > engine.DeletesInFlight {
			if err := eng.Purge(ctx, record.Retry, "", floor+1); err != nil {
				return err
			}
			rest = gone[below:]
		}
		return eng.DeleteEach(ctx, record.Retry, rest)
	})
	if err == nil {
		r.q.retries.deleted(gone)
		r.q.saving.stir()
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

func (r *retries) needs(seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known.IsOut(seq)
}

// read reads a record that JetStream sent without its body. It comes due as
// long after it was parked as it was to, however the clock was set since.
func (s *parking) read(m *nats.Msg, at record.Place, term uint64) *parked {
	h, r := m.Header, recordOfParked(m)
	due := journal.SinceBegan(time.UnixMilli(0))
	if wanted := record.HeadInt(h, record.HeadDue); wanted != 0 {
		due = journal.SinceBegan(s.q.store.Clock.Moment(at.At.UnixNano(), time.Now())) + time.UnixMilli(wanted).Sub(at.At)
	}
	return &parked{
		seq: at.Seq, era: s.q.retries.current(), origin: uint64(record.HeadInt(h, record.HeadOrigin)), due: due, accepted: record.HeadInt(h, record.HeadAccepted),
		size: record.SizeOf(&r) + record.HeadInt(h, "Nats-Msg-Size"), key: record.Hash(&r), call: r.Call, held: h.Get(record.HeadHeld) != "", term: term,
	}
}
