package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// Erased is what an erasure removed, or would remove.
type Erased struct {
	Records  map[string]int // by stream
	Owed     map[string]int // by service: those among them that were not finished
	InFlight int            // of those owed: under way to their endpoint, so that they may still arrive
}

// erasePasses bounds how often the streams are looked through for what moved
// from one place to another meanwhile.
const erasePasses = 10

// Scan passes every record of every stream to visit.
func (q *Queue) Scan(ctx context.Context, visit func(*record.Stored)) error {
	eng := q.store.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	for _, stream := range record.Order {
		err := eng.Scan(ctx, stream, 0, func(s *record.Stored, _ uint64) { visit(s) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Erase removes the records that match from every stream, whether they were
// delivered or not, and overwrites them on disk. What is in flight is not
// stored again, whatever becomes of it. With dry it only counts. What arrives
// while it runs may stay.
//
// A crash or an error in between leaves some of the records; erasing again
// removes them.
func (q *Queue) Erase(ctx context.Context, dry bool, match func(*record.Stored) bool) (Erased, error) {
	q.store.Moving.Lock()
	defer q.store.Moving.Unlock()
	e := &erasure{
		q: q, eng: q.store.Engine(), dry: dry, match: match, next: map[string]uint64{},
		done: Erased{Records: map[string]int{}, Owed: map[string]int{}},
	}
	if e.eng == nil {
		return e.done, record.ErrUnavailable
	}
	defer e.end()
	for range erasePasses {
		n, err := e.pass(ctx)
		if err != nil {
			return e.done, fmt.Errorf("erase: %w", err)
		}
		if n == 0 || dry {
			return e.done, nil
		}
	}
	return e.done, errors.New("erase: records that match keep coming")
}

// erasure is one run of Erase.
type erasure struct {
	q     *Queue
	eng   *engine.Engine
	dry   bool
	match func(*record.Stored) bool
	next  map[string]uint64 // by stream: where the next pass begins
	done  Erased
}

// found are the sequences of the records of one stream that match, by service.
type found map[string]map[uint64]bool

// pass goes once through what the pass before has not seen, and returns how
// many records it erased.
func (e *erasure) pass(ctx context.Context) (int, error) {
	if err := e.q.Flush(ctx); err != nil {
		return 0, err
	}
	n := 0
	for _, stream := range record.Order {
		hits, err := e.find(ctx, stream)
		if err != nil {
			return n, err
		}
		for service, seqs := range hits {
			n += len(seqs)
			e.done.Records[stream] += len(seqs)
			if e.dry {
				continue
			}
			if err := e.remove(ctx, stream, service, seqs); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (e *erasure) find(ctx context.Context, stream string) (found, error) {
	hits := found{}
	err := e.eng.Scan(ctx, stream, e.next[stream], func(s *record.Stored, seq uint64) {
		e.next[stream] = seq + 1
		if !e.match(s) {
			return
		}
		if hits[s.Service] == nil {
			hits[s.Service] = map[uint64]bool{}
		}
		hits[s.Service][seq] = true
		if e.owed(stream, s.Service, seq) {
			e.done.Owed[s.Service]++
		}
	})
	return hits, err
}

// owed reports whether a record is a delivery that is not finished.
func (e *erasure) owed(stream, service string, seq uint64) bool {
	switch stream {
	case record.Events:
		return e.q.lane(service).eraser.owes(seq)
	case record.Retry:
		return e.q.retries.needs(seq) || !e.q.base.keeps()
	}
	return false
}

// remove erases records of one service. The lane lets go of them first: a crash
// in between leaves them stored, and the lane takes them up again.
func (e *erasure) remove(ctx context.Context, stream, service string, seqs map[uint64]bool) error {
	l, g := e.q.lane(service), erasing{}
	switch stream {
	case record.Events:
		g.stored = seqs
	case record.Retry:
		g.parked = seqs
	default:
		return e.erase(ctx, stream, service, seqs)
	}
	inFlight, items, unsent := l.eraser.letGo(g)
	e.done.InFlight += inFlight
	if err := e.erase(ctx, stream, service, seqs); err != nil {
		return err
	}
	for _, item := range items {
		e.q.retries.finish(item)
	}
	if unsent { // JetStream tells how many are left
		return e.q.base.attach(ctx, l, e.eng)
	}
	return nil
}

// eraseBatch is how many records are erased while commits wait: JetStream writes
// a whole file for each.
const eraseBatch = 16

func (e *erasure) erase(ctx context.Context, stream, service string, seqs map[uint64]bool) error {
	for part := range slices.Chunk(slices.Sorted(maps.Keys(seqs)), eraseBatch) {
		err := e.q.store.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error { return eng.EraseEach(ctx, stream, part) })
		if err != nil {
			return err
		}
		e.q.base.erased(e.eng, stream, service, part)
	}
	return nil
}

func (e *erasure) end() {
	for _, l := range e.q.allLanes() {
		l.mu.Lock()
		l.eraser.erasing = erasing{}
		l.mu.Unlock()
	}
}
