package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"
)

// Letter is a delivery that was given up.
type Letter struct {
	Seq uint64 // its place in DEAD
	Record
	Reason   string
	Attempts int
	Status   int
	Error    string
	Buried   time.Time
	Accepted time.Time
}

// Filter selects dead letters. Zero fields match all.
type Filter struct {
	Service string
	Reason  string
	Call    string
	ID      string    // the event id
	Since   time.Time // buried at or after
	Until   time.Time // buried before
	Seqs    []uint64
	Newest  int // of Letters: only the last so many, newest first; 0: all, oldest first
	Batch   int // how many are replayed or dropped at a time; 0: 1,000, or a tenth of Rate
	Rate    int // how many are replayed a second; 0: as many as the queue takes
}

// subject is what the filter can leave to JetStream.
func (f Filter) subject() string {
	service, reason := "*", "*"
	if f.Service != "" {
		service = f.Service
	}
	if f.Reason != "" {
		reason = f.Reason
	}
	return "dead." + service + "." + reason
}

// whole reports whether the filter matches every letter of its subject.
func (f Filter) whole() bool {
	return f.Call == "" && f.ID == "" && f.Since.IsZero() && f.Until.IsZero() && len(f.Seqs) == 0
}

func (f Filter) matches(l *Letter) bool {
	return (f.Service == "" || f.Service == l.Service) && (f.Reason == "" || f.Reason == l.Reason) &&
		(f.Call == "" || f.Call == l.Call) && (f.ID == "" || f.ID == l.ID) &&
		!l.Buried.Before(f.Since) && (f.Until.IsZero() || l.Buried.Before(f.Until)) &&
		(len(f.Seqs) == 0 || slices.Contains(f.Seqs, l.Seq))
}

// deathNote is what is stored beside a dead letter.
func deathNote(e *Entry, d Death) note {
	n := note{}.with(headReason, d.Reason).with(headEvent, e.Event).withInt(headAccepted, e.stored).
		withInt(headBuried, time.Now().UnixNano()).withInt(headAttempts, int64(d.Attempts)).withInt(headStatus, int64(d.Status)).with(headError, d.Error)
	if e.Replayed {
		n = n.with(headReplayed, "1")
	}
	return n
}

// bury stores e in DEAD and returns when that is on disk.
func (q *Queue) bury(e *Entry, d Death) error {
	if err := q.roomForDead(sizeOf(&e.Record)); err != nil {
		return fmt.Errorf("bury delivery: %w", err)
	}
	if _, err := q.dead.write(e.Record, deathNote(e, d), ""); err != nil {
		return fmt.Errorf("bury delivery: %w", err)
	}
	return nil
}

// buryAll stores many in DEAD, all or none.
func (q *Queue) buryAll(entries []*Entry, d Death) error {
	result := make(chan error, 1)
	g := &group{keys: make([]string, len(entries)), done: func(err error) { result <- err }}
	var size int64
	for _, e := range entries {
		size += sizeOf(&e.Record)
		own := d
		own.Attempts = max(d.Attempts, e.Attempts)
		g.recs = append(g.recs, e.Record)
		g.notes = append(g.notes, deathNote(e, own))
	}
	if err := q.roomForDead(size); err != nil {
		return fmt.Errorf("bury deliveries: %w", err)
	}
	q.dead.add(g)
	if err := <-result; err != nil {
		return fmt.Errorf("bury deliveries: %w", err)
	}
	return nil
}

// Letters passes the dead letters that match to visit, oldest first, until it
// returns false.
func (q *Queue) Letters(ctx context.Context, f Filter, visit func(Letter) bool) error {
	eng := q.engine.Load()
	if eng == nil {
		return ErrUnavailable
	}
	if len(f.Seqs) > 0 {
		return q.lettersBySeq(ctx, f, visit)
	}
	if f.Newest > 0 {
		return q.newestLetters(ctx, eng, f, visit)
	}
	cfg := jetstream.ConsumerConfig{FilterSubject: f.subject(), DeliverPolicy: jetstream.DeliverAllPolicy}
	if !f.Since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &f.Since
	}
	return eng.read(ctx, dead, cfg, func(m *nats.Msg, at place) bool {
		l := readLetter(m, at.seq, at.at)
		return !f.matches(&l) || visit(l)
	})
}

// newestLetters reads the end of DEAD, and more of it until enough match.
func (q *Queue) newestLetters(ctx context.Context, eng *engine, f Filter, visit func(Letter) bool) error {
	s, err := eng.stream(ctx, dead)
	if err != nil {
		return err
	}
	state := s.CachedInfo().State
	for window := uint64(f.Newest); ; window *= 8 {
		from := state.FirstSeq
		if state.LastSeq > window {
			from = max(from, state.LastSeq-window+1)
		}
		var found []Letter
		cfg := jetstream.ConsumerConfig{FilterSubject: f.subject(), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1)}
		err := eng.read(ctx, dead, cfg, func(m *nats.Msg, at place) bool {
			if l := readLetter(m, at.seq, at.at); f.matches(&l) {
				found = append(found, l)
			}
			return true
		})
		if err != nil {
			return err
		}
		if len(found) < f.Newest && from > state.FirstSeq {
			continue
		}
		for _, l := range slices.Backward(found[max(0, len(found)-f.Newest):]) {
			if !visit(l) {
				break
			}
		}
		return nil
	}
}

func (q *Queue) lettersBySeq(ctx context.Context, f Filter, visit func(Letter) bool) error {
	for _, seq := range ascending(f.Seqs) {
		m, err := q.get(ctx, dead, seq)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		at, _ := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
		l := readLetter(m, seq, at)
		if f.matches(&l) && !visit(l) {
			return nil
		}
	}
	return nil
}

func ascending(seqs []uint64) []uint64 {
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	return slices.Compact(seqs)
}

func readLetter(m *nats.Msg, seq uint64, at time.Time) Letter {
	h, r := m.Header, readRecord(m)
	reason := r.Event // the third token of the subject
	r.Event = h.Get(headEvent)
	return Letter{
		Seq: seq, Record: r, Reason: reason, Attempts: int(headInt(h, headAttempts)), Status: int(headInt(h, headStatus)),
		Error: h.Get(headError), Buried: cmp.Or(headTime(h, headBuried), at), Accepted: headTime(h, headAccepted),
	}
}

// replayBatch is how many letters go back together, and replayBytes about how
// much: a batch costs a few milliseconds, however small it is.
const (
	replayBatch = 1000
	replayBytes = 4 << 20
)

// Replay puts the letters that match back: each is stored in EVENTS again, and
// only then removed. It returns how many. It may be stopped anywhere and run
// again; what was put back but not removed yet is then recognised for as long
// as [Options].DedupWindow, and else delivered once more. each may be nil.
func (q *Queue) Replay(ctx context.Context, f Filter, each func(Letter)) (int, error) {
	pace := rate.NewLimiter(rate.Inf, 1)
	if f.Rate > 0 { // a tenth of a second's worth at a time
		f.Batch = cmp.Or(f.Batch, max(1, f.Rate/10))
		pace = rate.NewLimiter(rate.Limit(f.Rate), 1)
	}
	return q.eachBatch(ctx, f, func(letters []Letter) error {
		g := &group{}
		for i := range letters {
			l := &letters[i]
			g.recs = append(g.recs, l.Record)
			g.notes = append(g.notes, note{headReplayed, "1"})
			g.keys = append(g.keys, fmt.Sprintf("%s/replay/%d", l.key(), l.Seq))
		}
		if err := q.append(ctx, g); err != nil {
			return err
		}
		for i := range letters {
			_ = pace.Wait(ctx) // an end of ctx ends the replay, too
			if each != nil {
				each(letters[i])
			}
		}
		return nil
	})
}

// append stores a group in EVENTS and waits for it.
func (q *Queue) append(ctx context.Context, g *group) error {
	if err := q.room(g.size()); err != nil {
		return err
	}
	result := make(chan error, 1)
	g.done = func(err error) { result <- err }
	q.events.add(g)
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DropLetters removes the letters that match for good and returns how many.
func (q *Queue) DropLetters(ctx context.Context, f Filter) (int, error) {
	return q.eachBatch(ctx, f, func([]Letter) error { return nil })
}

// eachBatch passes the letters that match to use, some at a time, and removes
// them once it returned nil.
func (q *Queue) eachBatch(ctx context.Context, f Filter, use func([]Letter) error) (int, error) {
	n, bytes, size := 0, 0, cmp.Or(f.Batch, replayBatch)
	var batch []Letter
	var failed error
	flush := func() {
		if failed = q.moveBatch(ctx, f, batch, use); failed == nil {
			n += len(batch)
			batch, bytes = batch[:0], 0
		}
	}
	err := q.Letters(ctx, f, func(l Letter) bool {
		batch = append(batch, l)
		bytes += len(l.Body)
		if len(batch) >= size || bytes >= replayBytes {
			flush()
		}
		return failed == nil
	})
	if err == nil && failed == nil && len(batch) > 0 {
		flush()
	}
	return n, cmp.Or(failed, err)
}

func (q *Queue) moveBatch(ctx context.Context, f Filter, batch []Letter, use func([]Letter) error) error {
	q.moving.RLock()
	defer q.moving.RUnlock()
	if err := use(batch); err != nil {
		return err
	}
	return q.removeLetters(ctx, f, batch)
}

// removeLetters removes a batch from DEAD: in one go when there is nothing but
// what matches before its end. JetStream could purge one subject of several, too,
// but reads the whole stream for that.
func (q *Queue) removeLetters(ctx context.Context, f Filter, letters []Letter) error {
	return q.remove(ctx, func(ctx context.Context, eng *engine) error {
		if f.whole() && eng.holdsOnly(ctx, dead, f.subject()) {
			return eng.purge(ctx, dead, "", letters[len(letters)-1].Seq+1)
		}
		seqs := make([]uint64, len(letters))
		for i := range letters {
			seqs[i] = letters[i].Seq
		}
		return eng.deleteEach(ctx, dead, seqs)
	})
}
