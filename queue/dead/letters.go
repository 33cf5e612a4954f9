package dead

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// Book is the dead letters. It is safe for concurrent use.
type Book struct{ s *journal.Store }

// NewBook returns those of a store.
func NewBook(s *journal.Store) *Book { return &Book{s} }

// Letters passes the dead letters that match to visit, oldest first, until it
// returns false.
func (b *Book) Letters(ctx context.Context, f record.Filter, visit func(record.Letter) bool) error {
	eng := b.s.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	if len(f.Seqs) > 0 {
		return b.lettersBySeq(ctx, f, visit)
	}
	if f.Newest > 0 {
		found, err := engine.ReadNewest(ctx, eng, record.Dead, f.Subject(), f.Newest, func(m *nats.Msg, at record.Place) (record.Letter, bool) {
			l := record.ReadLetter(m, at.Seq, at.At)
			return l, f.Matches(&l)
		})
		for _, l := range found {
			if !visit(l) {
				break
			}
		}
		return err
	}
	cfg := jetstream.ConsumerConfig{FilterSubject: f.Subject(), DeliverPolicy: jetstream.DeliverAllPolicy}
	if !f.Since.IsZero() {
		cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &f.Since
	}
	return eng.Read(ctx, record.Dead, cfg, func(m *nats.Msg, at record.Place) bool {
		l := record.ReadLetter(m, at.Seq, at.At)
		return !f.Matches(&l) || visit(l)
	})
}

func (b *Book) lettersBySeq(ctx context.Context, f record.Filter, visit func(record.Letter) bool) error {
	for _, seq := range record.Ascending(f.Seqs) {
		m, err := b.s.Get(ctx, record.Dead, seq)
		if errors.Is(err, record.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		at, _ := time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
		l := record.ReadLetter(m, seq, at)
		if f.Matches(&l) && !visit(l) {
			return nil
		}
	}
	return nil
}

// ReplayBatch is how many records go back together, and ReplayBytes about how
// much: a batch costs a few milliseconds, however small it is.
const (
	ReplayBatch = 1000
	ReplayBytes = 4 << 20
)

// Replay puts the letters that match back: each is stored in EVENTS again, and
// only then removed. It returns how many. It may be stopped anywhere and run
// again; what was put back but not removed yet is then recognised for as long
// as [Options].DedupWindow, and else delivered once more. each may be nil.
func (b *Book) Replay(ctx context.Context, f record.Filter, each func(record.Letter)) (int, error) {
	pace := rate.NewLimiter(rate.Inf, 1)
	if f.Rate > 0 { // a tenth of a second's worth at a time
		f.Batch = cmp.Or(f.Batch, max(1, f.Rate/10))
		pace = rate.NewLimiter(rate.Limit(f.Rate), 1)
	}
	return b.EachBatch(ctx, f, func(letters []record.Letter) error {
		g := &journal.Group{}
		for i := range letters {
			l := &letters[i]
			g.Recs = append(g.Recs, l.Record)
			g.Notes = append(g.Notes, record.Note{record.HeadReplayed, "1"})
			g.Keys = append(g.Keys, fmt.Sprintf("%s/replay/%d", l.Key(), l.Seq))
		}
		if err := b.s.Put(ctx, g); err != nil {
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

// DropLetters removes the letters that match for good and returns how many.
func (b *Book) DropLetters(ctx context.Context, f record.Filter) (int, error) {
	return b.EachBatch(ctx, f, func([]record.Letter) error { return nil })
}

// EachBatch passes the letters that match to use, some at a time, and removes
// them once it returned nil.
func (b *Book) EachBatch(ctx context.Context, f record.Filter, use func([]record.Letter) error) (int, error) {
	n, bytes, size := 0, 0, cmp.Or(f.Batch, ReplayBatch)
	var batch []record.Letter
	var failed error
	flush := func() {
		if failed = b.moveBatch(ctx, f, batch, use); failed == nil {
			n += len(batch)
			batch, bytes = batch[:0], 0
		}
	}
	err := b.Letters(ctx, f, func(l record.Letter) bool {
		batch = append(batch, l)
		bytes += len(l.Body)
		if len(batch) >= size || bytes >= ReplayBytes {
			flush()
		}
		return failed == nil
	})
	if err == nil && failed == nil && len(batch) > 0 {
		flush()
	}
	return n, cmp.Or(failed, err)
}

func (b *Book) moveBatch(ctx context.Context, f record.Filter, batch []record.Letter, use func([]record.Letter) error) error {
	b.s.Moving.RLock()
	defer b.s.Moving.RUnlock()
	if err := use(batch); err != nil {
		return err
	}
	return b.removeLetters(ctx, f, batch)
}

// removeLetters removes a batch from DEAD: in one go when there is nothing but
// what matches before its end. JetStream could purge one subject of several, too,
// but reads the whole stream for that.
func (b *Book) removeLetters(ctx context.Context, f record.Filter, letters []record.Letter) error {
	return b.s.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
		if f.Whole() && eng.HoldsOnly(ctx, record.Dead, f.Subject()) {
			return eng.Purge(ctx, record.Dead, "", letters[len(letters)-1].Seq+1)
		}
		seqs := make([]uint64, len(letters))
		for i := range letters {
			seqs[i] = letters[i].Seq
		}
		return eng.DeleteEach(ctx, record.Dead, seqs)
	})
}
