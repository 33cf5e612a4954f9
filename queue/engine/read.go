package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

// readPause is how long a server of a cluster is given to catch up.
const readPause = 50 * time.Millisecond

// readAhead is about how many bytes are asked for before they are visited.
const readAhead = 8 << 20

// reader reads what the streams hold.
type reader struct{ *api }

// Read passes the stored records that match cfg to visit, oldest first, until
// it returns false. It reads through a consumer of its own, which leaves no
// trace. What is stored after it began need not be read.
func (r reader) Read(ctx context.Context, stream string, cfg jetstream.ConsumerConfig, visit func(*nats.Msg, record.Place) bool) error {
	last, stopped := uint64(0), false
	see := func(m *nats.Msg, at record.Place) bool {
		last = at.Seq
		stopped = !visit(m, at)
		return !stopped
	}
	end, err := r.LastSeq(ctx, stream)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	resumed := uint64(0)
	for {
		whole, err := r.readOnce(ctx, stream, cfg, see)
		if errors.Is(err, nats.ErrNoResponders) && last > resumed { // visit took so long that the consumer is gone
			whole, err, resumed = false, nil, last
		}
		if err != nil || stopped || whole && r.alone {
			return err
		}
		if cfg.OptStartTime != nil && last == 0 { // where it begins is not known
			return ended(stream, whole)
		}
		next := max(last+1, cfg.OptStartSeq)
		more, err := r.stores(ctx, stream, cfg.FilterSubject, next, end)
		if err != nil || !more {
			return err
		}
		if whole {
			Pause(ctx, readPause)
		}
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartSequencePolicy, next, nil
	}
}

// ended says what it means that nothing was read.
func ended(stream string, whole bool) error {
	if whole {
		return nil
	}
	return fmt.Errorf("%w: read stream %s: JetStream ended the request", record.ErrUnavailable, stream)
}

// stores reports whether the leader of a stream has a record from one sequence to
// another: whoever leads a consumer may not have it yet, and a consumer may end
// before it has sent all.
func (r reader) stores(ctx context.Context, stream, filter string, from, to uint64) (bool, error) {
	if from > to {
		return false, nil
	}
	subject, get := ">", r.GetStored
	if filter != "" {
		subject = r.Subject(filter)
	}
	if r.alone {
		get = r.GetDirect
	}
	_, seq, err := get(ctx, stream, fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q}`, from, subject))
	if errors.Is(err, record.ErrNotFound) {
		return false, nil
	}
	return err == nil && seq <= to, err
}

// readOnce reads through one consumer. It reports whether that has sent all there
// was when it was made: it may be deleted, or JetStream take too long.
func (r reader) readOnce(ctx context.Context, stream string, cfg jetstream.ConsumerConfig, visit func(*nats.Msg, record.Place) bool) (whole bool, err error) {
	cfg.AckPolicy, cfg.MemoryStorage, cfg.InactiveThreshold = jetstream.AckNonePolicy, true, time.Minute
	if cfg.FilterSubject != "" {
		cfg.FilterSubject = r.Subject(cfg.FilterSubject)
	}
	c, err := r.JS.CreateConsumer(ctx, r.Name(stream), cfg)
	if err != nil {
		return false, fmt.Errorf("read stream %s: %w", stream, err)
	}
	name := c.CachedInfo().Name
	defer r.DropConsumer(stream, name)
	sub, err := r.NC.SubscribeSync(r.NC.NewInbox())
	if err != nil {
		return false, fmt.Errorf("read stream %s: %w", stream, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	subject := "$JS.API.CONSUMER.MSG.NEXT." + r.Name(stream) + "." + name
	left, asked, largest, newly := int(c.CachedInfo().NumPending), 0, 0, time.Now().Add(RequestTimeout)
	for size := 64; left > 0; {
		if asked <= size/2 && asked < left {
			n := min(size, left-asked)
			if err := r.NC.PublishRequest(subject, sub.Subject, fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, n, RequestTimeout)); err != nil {
				return false, fmt.Errorf("read stream %s: %w", stream, err)
			}
			asked += n
			if size*largest < readAhead/2 {
				size = min(size*2, 1024)
			}
		}
		m, err := nextMsg(ctx, sub)
		if errors.Is(err, nats.ErrNoResponders) && time.Now().Before(newly) {
			asked = 0 // not every server of a cluster knows of the consumer yet
			Pause(ctx, newlyPause)
			continue
		}
		if err != nil {
			return false, fmt.Errorf("read stream %s: %w", stream, err)
		}
		at, ok := record.ParsePlace(m.Reply)
		if !ok {
			return false, nil // there may be fewer records than at the beginning, too
		}
		left, asked, largest, newly = min(left-1, at.Pending), asked-1, max(largest, m.Size()), time.Time{}
		if !visit(m, at) {
			break
		}
	}
	return true, nil
}

// Pause waits, but not beyond ctx.
func Pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func nextMsg(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*RequestTimeout)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// newlyPause is how long to wait before a new consumer is asked again.
const newlyPause = 10 * time.Millisecond

// Span is a part of a stream, its ends included.
type Span struct{ From, To uint64 }

// ReadSpan passes the records of a part of a stream to visit, without their
// bodies.
func (r reader) ReadSpan(ctx context.Context, stream string, s Span, visit func(*nats.Msg, record.Place)) error {
	if s.From > s.To {
		return nil
	}
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(s.From, 1), HeadersOnly: true}
	return r.Read(ctx, stream, cfg, func(m *nats.Msg, at record.Place) bool {
		if at.Seq <= s.To {
			visit(m, at)
		}
		return at.Seq < s.To
	})
}

// Scan passes the records of a stream from a sequence on to visit.
func (r reader) Scan(ctx context.Context, stream string, from uint64, visit func(s *record.Stored, seq uint64)) error {
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1)}
	return r.Read(ctx, stream, cfg, func(m *nats.Msg, at record.Place) bool {
		s := &record.Stored{Stream: stream, Record: record.Read(m)}
		if stream == record.Retry || stream == record.Dead {
			s.Event = m.Header.Get(record.HeadEvent)
		}
		visit(s, at.Seq)
		return true
	})
}

// ReadNewest returns the last n of what take makes of the records of a filter, the
// newest first. It looks back from the end of the stream in growing steps.
func ReadNewest[T any](ctx context.Context, e *Engine, stream, filter string, n int, take func(*nats.Msg, record.Place) (T, bool)) ([]T, error) {
	s, err := e.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	state := s.CachedInfo().State
	first := max(state.FirstSeq, 1) // 0 of a stream that nothing was ever stored in
	for back := uint64(n); ; back *= 8 {
		from := first
		if state.LastSeq >= back {
			from = max(from, state.LastSeq-back+1)
		}
		var found []T
		cfg := jetstream.ConsumerConfig{FilterSubject: filter, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from}
		err := e.Read(ctx, stream, cfg, func(m *nats.Msg, at record.Place) bool {
			if one, ok := take(m, at); ok {
				found = append(found, one)
			}
			return true
		})
		if err != nil || len(found) >= n || from == first {
			slices.Reverse(found)
			return found[:min(len(found), n)], err
		}
	}
}
