package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/dead"
	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// Again says which deliveries of a service go out once more: what was delivered
// and is still kept, and its dead letters.
type Again struct {
	Service string
	Call    string    // empty: of all calls
	Since   time.Time // delivered or given up at or after; zero: as far back as they are kept
	Until   time.Time // and before; zero: until now
	// ID reads the event's id from what [Queue.LogAttempt] was given. Where no
	// attempt is kept, or ID is nil, the time of acceptance counts.
	ID func(attempt []byte) string
}

// Resent is how many deliveries were put back, or would be.
type Resent struct {
	Delivered int `json:"delivered"` // of those that had been delivered
	Letters   int `json:"letters"`   // that were dead letters
	Before    int `json:"before"`    // left out: an earlier run put them back before it was broken off
}

// resumable is how long a run that was broken off is gone on with. After that
// the next one begins anew.
const resumable = time.Hour

// againState is where the runs are noted that did not end.
const againState = "again"

// againRun is one of them.
type againRun struct {
	Began time.Time `json:"began"`
	End   uint64    `json:"end"` // of EVENTS then: what lies behind it was put back since
}

// SendAgain puts what was delivered back into EVENTS, for its service only, under
// its id, with age and attempts anew, and then the dead letters that match. What
// still waits is left alone, and of an id there is never more than one. With dry
// it only counts.
//
// It may be stopped anywhere, as by a crash, and be run again: what was put back
// before is left out for an hour. each is called with how many were put back so
// far, not more often than once a batch.
func (q *Queue) SendAgain(ctx context.Context, a Again, dry bool, each func(int)) (Resent, error) {
	q.resending.Lock()
	defer q.resending.Unlock()
	eng := q.store.Engine()
	if eng == nil {
		return Resent{}, ErrUnavailable
	}
	s := &sending{q: q, eng: eng, a: a, each: each}
	if err := s.run(ctx, dry); err != nil {
		return s.done, fmt.Errorf("send again to %s: %w", a.Service, err)
	}
	return s.done, nil
}

// sending is one run of SendAgain.
type sending struct {
	q     *Queue
	eng   *engine.Engine
	a     Again
	each  func(int)
	runs  map[string]againRun // by service
	this  againRun
	done  Resent
	picks []uint64 // sequences in EVENTS, ascending
	bytes int64
}

func (s *sending) run(ctx context.Context, dry bool) error {
	end, err := s.eng.LastSeq(ctx, record.Events)
	if err != nil {
		return err
	}
	if err := s.q.store.Folder.LoadJSON(againState, &s.runs); err != nil {
		return err
	}
	before, resumed := s.runs[s.a.Service]
	if resumed = resumed && time.Since(before.Began) < resumable && before.End <= end; !resumed {
		before = againRun{Began: time.Now(), End: end}
	}
	s.this = before
	if err := s.pick(ctx, end); err != nil {
		return err
	}
	f := Filter{Service: s.a.Service, Call: s.a.Call, Since: s.a.Since, Until: s.a.Until}
	if dry {
		s.done.Delivered = len(s.picks)
		return s.q.Letters(ctx, f, func(Letter) bool { s.done.Letters++; return true })
	}
	if level := s.q.store.Space.Level() + s.bytes; float64(level) > engine.HighPart*float64(s.q.store.Options.MaxBytes) {
		return fmt.Errorf("%w: %d bytes would be stored again, and near queue.max_bytes history is given up", ErrFull, s.bytes)
	}
	if err := s.note(true); err != nil {
		return err
	}
	if err := s.put(ctx); err != nil {
		return err
	}
	s.done.Letters, err = s.q.Replay(ctx, f, func(Letter) { s.done.Letters++; s.each(s.done.Delivered + s.done.Letters) })
	if err != nil {
		return err
	}
	return s.note(false)
}

// note keeps on disk that this run goes on, or that it ended.
func (s *sending) note(runs bool) error {
	if s.runs == nil {
		s.runs = map[string]againRun{}
	}
	delete(s.runs, s.a.Service)
	if runs {
		s.runs[s.a.Service] = s.this
	}
	return s.q.store.Folder.SaveJSON(againState, s.runs)
}

// pick chooses records of EVENTS up to end that were delivered. What is owed still,
// in whichever stream, keeps its id from being chosen.
func (s *sending) pick(ctx context.Context, end uint64) error {
	at, err := s.deliveredAt(ctx)
	if err != nil {
		return err
	}
	taken := map[uint64]bool{} // ids, by their hash
	for stream, subject := range map[string]string{record.Retry: "retry." + s.a.Service, record.Dead: "dead." + s.a.Service + ".*"} {
		err := s.heads(ctx, stream, subject, func(r Record, _ *nats.Msg, p record.Place) {
			if stream == record.Dead || s.q.retries.needs(p.Seq) || !s.q.base.keeps() {
				taken[record.Hash(&r)] = true
			}
		})
		if err != nil {
			return err
		}
	}
	owed, err := s.owed(ctx)
	if err != nil {
		return err
	}
	type choice struct {
		hash, seq uint64
		size      int64
	}
	var chosen []choice
	before := map[uint64]bool{}
	err = s.heads(ctx, record.Events, "events."+s.a.Service+".>", func(r Record, m *nats.Msg, p record.Place) {
		hash := record.Hash(&r)
		switch {
		case p.Seq > s.this.End && m.Header.Get(record.HeadReplayed) != "":
			before[hash] = true
		case p.Seq > end || owed(p.Seq):
			taken[hash] = true
		case s.matches(&r, timeOf(at, hash, m, p)):
			chosen = append(chosen, choice{hash, p.Seq, record.SizeOf(&r) + record.HeadInt(m.Header, "Nats-Msg-Size")})
		}
	})
	for _, c := range chosen {
		switch {
		case taken[c.hash]:
		case before[c.hash]:
			s.done.Before++
			taken[c.hash] = true
		default:
			s.picks, s.bytes, taken[c.hash] = append(s.picks, c.seq), s.bytes+c.size, true
		}
	}
	return err
}

// owed tells of a sequence of EVENTS whether it may not be finished. In a cluster
// that is all above what JetStream knows as finished: other relays have it in
// hand.
func (s *sending) owed(ctx context.Context) (func(seq uint64) bool, error) {
	if s.q.base.alone() {
		return s.q.lane(s.a.Service).eraser.owes, nil
	}
	info, err := s.eng.Consumer(ctx, s.a.Service)
	return func(seq uint64) bool { return seq > info.AckFloor.Stream }, err
}

func (s *sending) matches(r *Record, at time.Time) bool {
	return (s.a.Call == "" || s.a.Call == r.Call) && !at.Before(s.a.Since) && (s.a.Until.IsZero() || at.Before(s.a.Until))
}

// timeOf is when a record was delivered, as far as known.
func timeOf(delivered map[uint64]time.Time, hash uint64, m *nats.Msg, p record.Place) time.Time {
	if at, known := delivered[hash]; known {
		return at
	}
	if accepted := record.HeadTime(m.Header, record.HeadAccepted); !accepted.IsZero() {
		return accepted
	}
	return p.At
}

// deliveredAt reads when ids were delivered, by their hash, if it matters.
func (s *sending) deliveredAt(ctx context.Context) (map[uint64]time.Time, error) {
	at := map[uint64]time.Time{}
	if s.a.ID == nil || s.a.Since.IsZero() && s.a.Until.IsZero() {
		return at, nil
	}
	if err := s.q.Flush(ctx); err != nil {
		return nil, err
	}
	cfg := jetstream.ConsumerConfig{FilterSubject: "attempts." + s.a.Service + ".delivered", DeliverPolicy: jetstream.DeliverAllPolicy}
	if !s.a.Since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &s.a.Since
	}
	err := s.eng.Read(ctx, record.Attempts, cfg, func(m *nats.Msg, p record.Place) bool {
		at[record.Hash(&Record{Service: s.a.Service, ID: s.a.ID(m.Data)})] = p.At
		return true
	})
	return at, err
}

// heads passes the records of a subject to visit, without their bodies.
func (s *sending) heads(ctx context.Context, stream, subject string, visit func(Record, *nats.Msg, record.Place)) error {
	cfg := jetstream.ConsumerConfig{FilterSubject: subject, DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
	return s.eng.Read(ctx, stream, cfg, func(m *nats.Msg, p record.Place) bool {
		visit(record.Read(m), m, p)
		return true
	})
}

// put stores what was picked, some at a time.
func (s *sending) put(ctx context.Context) error {
	for len(s.picks) > 0 {
		n, err := s.batch(ctx)
		if err != nil {
			return err
		}
		s.picks = s.picks[n:]
		s.each(s.done.Delivered)
	}
	return nil
}

// batch stores the first of what was picked and returns how many that were. A
// record that is gone meanwhile was erased, or given up to make room.
func (s *sending) batch(ctx context.Context) (int, error) {
	s.q.store.Moving.RLock() // no erasure comes between reading and storing
	defer s.q.store.Moving.RUnlock()
	g, n, bytes := &journal.Group{}, 0, 0
	for n < min(len(s.picks), dead.ReplayBatch) && bytes < dead.ReplayBytes {
		seq := s.picks[n]
		n++
		m, err := s.q.store.Get(ctx, record.Events, seq)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		r := record.Read(m)
		bytes += len(r.Body)
		g.Recs, g.Notes = append(g.Recs, r), append(g.Notes, record.Note{record.HeadReplayed, "1"})
		g.Keys = append(g.Keys, fmt.Sprintf("%s/again/%d/%d", r.Key(), s.this.Began.UnixNano(), seq))
	}
	if len(g.Recs) == 0 {
		return n, nil
	}
	err := s.q.store.Put(ctx, g)
	if err == nil {
		s.done.Delivered += len(g.Recs)
	}
	return n, err
}
