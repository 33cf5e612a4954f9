package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
	"callrelay/queue/spool"
)

// Moved is what a move has brought over.
type Moved struct {
	Owed    int // deliveries that waited for their first attempt
	Parked  int // those that wait for a later one
	Letters int // dead letters
}

const (
	moveBatch = 200
	movePause = 250 * time.Millisecond // between two looks for what another relay had in hand
	moveState = "move"

	// movedRoom is how many parked deliveries may be moved into a stream. They
	// keep their order among each other, and before all that lies in EVENTS, by
	// numbers below its first sequence.
	movedRoom = 1 << 24
)

// Move brings what is owed, and the dead letters, from one queue into another:
// from the embedded one in a folder into a cluster, or back. Neither may be open.
// It may be stopped anywhere, as by a crash, and run again: what is in one place
// leaves the other only then, and what may be in both is looked for.
//
// tell is called, not more often than once a batch, with what was moved so far.
func Move(ctx context.Context, from, to engine.Options, tell func(Moved)) (Moved, error) {
	m := &move{tell: tell}
	err := m.run(ctx, from, to)
	return m.moved, err
}

// move is one that is under way.
type move struct {
	src, dst, here *Queue // here: the one of them that keeps the state
	tell           func(Moved)
	moved          Moved
	last           []string // keys of the group that was put last
	state          struct {
		Next   int64                     `json:"next"` // number of the next parked delivery
		Doubts map[string]*journal.Doubt `json:"doubts"`
	}
}

func (m *move) run(ctx context.Context, from, to engine.Options) (err error) {
	if m.src, err = Open(ctx, from); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.src.Close(ctx)) }()
	if m.dst, err = openToMove(ctx, to); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.dst.Close(ctx)) }()
	if err := spoolIsEmpty(ctx, cmp.Or(embeddedDir(from), embeddedDir(to))); err != nil {
		return err
	}
	m.here = m.dst
	if m.src.base.alone() {
		m.here = m.src
	}
	if err := m.here.store.Folder.LoadJSON(moveState, &m.state); err != nil {
		return err
	}
	if m.state.Doubts == nil {
		m.state.Doubts = map[string]*journal.Doubt{record.Events: {}, record.Retry: {}, record.Dead: {}}
	}
	if err := m.src.base.own(ctx); err != nil {
		return err
	}
	if err := m.letters(ctx); err != nil {
		return fmt.Errorf("move dead letters: %w", err)
	}
	if err := m.deliveries(ctx); err != nil {
		return fmt.Errorf("move deliveries: %w", err)
	}
	if err := m.end(ctx); err != nil {
		return fmt.Errorf("end move: %w", err)
	}
	return nil
}

// end empties an embedded queue, whose records are all finished. A cluster drops
// its own when they are old.
func (m *move) end(ctx context.Context) error {
	if m.src.base.alone() {
		err := m.src.store.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error { return eng.Purge(ctx, record.Events, "", 0) })
		if err != nil {
			return err
		}
	}
	m.state.Next, m.state.Doubts = 0, nil
	return m.here.store.Folder.SaveJSON(moveState, m.state)
}

// embeddedDir is the folder of an embedded queue; empty: it is none.
func embeddedDir(o engine.Options) string {
	if len(o.Servers) > 0 {
		return ""
	}
	return o.Dir
}

// spoolIsEmpty refuses to move beside records that are still to be forwarded.
func spoolIsEmpty(ctx context.Context, dir string) error {
	n, err := spool.Held(ctx, dir)
	if err == nil && n > 0 {
		err = fmt.Errorf("the spool in %s holds events that are to be forwarded to the cluster first", dir)
	}
	return err
}

// openToMove opens a queue and makes room below its first sequence, which it
// can only have while it is empty.
func openToMove(ctx context.Context, o engine.Options) (*Queue, error) {
	q, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := q.store.Engine().Stream(ctx, record.Events)
	if err == nil && s.CachedInfo().State.Msgs == 0 && s.CachedInfo().State.FirstSeq <= movedRoom {
		err = q.store.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
			return eng.Purge(ctx, record.Events, "", movedRoom+1)
		})
		if err == nil { // it counts the sequences
			err = q.Close(ctx)
		}
		if err == nil {
			return Open(ctx, o)
		}
	}
	if err != nil {
		return nil, errors.Join(err, q.Close(ctx))
	}
	return q, nil
}

// letters moves the dead letters.
func (m *move) letters(ctx context.Context) error {
	_, err := m.src.EachBatch(ctx, record.Filter{Batch: moveBatch}, func(letters []record.Letter) error {
		g := &journal.Group{}
		for i := range letters {
			l := &letters[i]
			g.Recs = append(g.Recs, l.Record)
			g.Notes = append(g.Notes, l.Note())
			g.Keys = append(g.Keys, moveKey(&l.Record, record.Dead, l.Seq))
		}
		m.moved.Letters += len(letters)
		return m.put(ctx, m.dst.store.Dead, g)
	})
	return err
}

// moveKey is what a moved record is recognised by.
func moveKey(r *record.Record, stream string, seq uint64) string {
	return fmt.Sprintf("%s/move/%s/%d", r.Key(), stream, seq)
}

// deliveries moves what is owed until nothing is. What a relay of the site had
// in hand when it was killed comes a little later.
func (m *move) deliveries(ctx context.Context) error {
	for {
		if !m.src.base.keeps() { // a lease can be lost while much is moved
			if err := m.src.base.own(ctx); err != nil {
				return err
			}
		}
		for _, l := range m.src.allLanes() {
			if err := m.lane(ctx, l); err != nil {
				return fmt.Errorf("service %s: %w", l.name, err)
			}
		}
		eng := m.src.store.Engine()
		if eng == nil {
			return record.ErrUnavailable
		}
		if err := m.src.cached.ask(ctx, eng); err != nil {
			return err
		}
		owed := false
		for _, s := range m.src.Stats().Services {
			owed = owed || s.Waiting+s.InFlight+s.Parked > 0
		}
		if !owed && m.src.base.keeps() {
			return nil
		}
		if engine.Pause(ctx, movePause); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// lane moves what is owed to one service: the parked ones first, for they came
// before the others.
func (m *move) lane(ctx context.Context, l *Lane) error {
	l.mu.Lock()
	items := l.retrying.lot.items
	l.retrying.lot.items = nil
	l.mu.Unlock()
	if err := m.park(ctx, l, items); err != nil {
		return err
	}
	l.pull.fetch(time.Now()) // what a killed relay had in hand comes only to who asks
	for {
		entries, err := l.sweeper.old(ctx, time.Now().Add(engine.Never), moveBatch)
		if err != nil || len(entries) == 0 {
			return err
		}
		if err := m.entries(ctx, l, entries); err != nil {
			return err
		}
	}
}

// entries moves what a lane handed out. That is what waited in EVENTS, and what
// came to be known as parked meanwhile: a keeper that lost its lease reads all
// of it again.
func (m *move) entries(ctx context.Context, l *Lane, entries []*Entry) error {
	g := &journal.Group{}
	var items []*parked
	for _, e := range entries {
		if e.item != nil {
			items = append(items, e.item)
			continue
		}
		g.Recs = append(g.Recs, e.Record)
		g.Notes = append(g.Notes, record.Note{}.WithInt(record.HeadAccepted, e.stored).WithFlag(record.HeadReplayed, e.Replayed))
		g.Keys = append(g.Keys, moveKey(&e.Record, record.Events, e.Seq))
	}
	if err := m.park(ctx, l, items); err != nil {
		return err
	}
	m.moved.Owed += len(g.Recs)
	if err := m.put(ctx, m.dst.store.Events, g); err != nil {
		return err
	}
	for _, e := range entries {
		e.Finish()
	}
	return m.settle(ctx)
}

// settle returns when what was moved stays so after a crash.
func (m *move) settle(ctx context.Context) error {
	m.tell(m.moved)
	return m.src.base.settled(ctx)
}

// park moves what waited in RETRY, with what is known of it, the oldest first.
func (m *move) park(ctx context.Context, l *Lane, items []*parked) error {
	slices.SortFunc(items, func(a, b *parked) int {
		return cmp.Or(cmp.Compare(a.origin, b.origin), cmp.Compare(a.seq, b.seq))
	})
	for part := range slices.Chunk(items, moveBatch) {
		if err := m.parkBatch(ctx, l, part); err != nil {
			return err
		}
	}
	return nil
}

func (m *move) parkBatch(ctx context.Context, l *Lane, items []*parked) error {
	g := &journal.Group{}
	for _, item := range items {
		if !m.src.retries.needs(item.seq) {
			continue // it was moved before it came to be known again
		}
		found, err := m.src.parking.get(ctx, l.name, item)
		if errors.Is(err, record.ErrNotFound) {
			continue // an operator removed it
		}
		if err != nil {
			return err
		}
		m.state.Next++
		r := recordOfParked(found)
		g.Recs = append(g.Recs, r)
		g.Notes = append(g.Notes, parkedNote(found.Header, m.state.Next))
		g.Keys = append(g.Keys, moveKey(&r, record.Retry, item.seq))
	}
	if m.state.Next > movedRoom {
		return fmt.Errorf("more than %d deliveries wait for another attempt", movedRoom)
	}
	m.moved.Parked += len(g.Recs)
	if err := m.put(ctx, m.dst.store.Retry, g); err != nil {
		return err
	}
	for _, item := range items {
		m.src.retries.finish(item)
	}
	return m.settle(ctx)
}

// parkedNote is what is stored beside a parked record, but for whose it was.
func parkedNote(h nats.Header, origin int64) record.Note {
	n := record.Note{}
	for _, key := range [...]string{record.HeadEvent, record.HeadAccepted, record.HeadAttempts, record.HeadDue, record.HeadStatus, record.HeadReason, record.HeadHeld, record.HeadReplayed} {
		n = n.With(key, h.Get(key))
	}
	return n.WithInt(record.HeadOrigin, origin)
}

// put stores a group in the other queue, but what is there already. What was in
// doubt of earlier groups is settled, but for what was in a crash.
func (m *move) put(ctx context.Context, c *journal.Committer, g *journal.Group) error {
	d, eng := m.state.Doubts[c.Stream], m.dst.store.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	for _, settled := range m.state.Doubts {
		settled.Forget(m.last)
	}
	m.last = slices.Clone(g.Keys)
	if err := d.Resolve(ctx, eng, c.Stream, g); err != nil || len(g.Recs) == 0 {
		return err
	}
	last, err := eng.LastSeq(ctx, c.Stream)
	if err != nil {
		return err
	}
	d.Add(last, g)
	if err := m.here.store.Folder.SaveJSON(moveState, m.state); err != nil {
		return err
	}
	return c.Store(g)
}
