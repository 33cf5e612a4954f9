package spool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

const (
	forwardBatch  = 500
	forwardBytes  = 4 << 20
	countInterval = time.Second // how old a count may be
)

// forwardAll moves what is spooled into the cluster, in order, until nothing is
// left.
func (s *Spool) forwardAll(ctx context.Context) error {
	for {
		eng := s.to.Engine()
		if eng == nil || s.to.Down() != nil {
			return errors.Join(record.ErrUnavailable, s.to.Down())
		}
		n, err := s.forward(ctx, eng)
		if err != nil || n == 0 {
			return err
		}
	}
}

// forward moves one batch and returns how many records it had. They are removed
// here once the cluster has them; a crash in between leaves them in doubt.
func (s *Spool) forward(ctx context.Context, eng *engine.Engine) (int, error) {
	g, last, err := oldest(ctx, s.local)
	if err != nil || len(g.Recs) == 0 {
		return 0, err
	}
	n, keys := len(g.Recs), g.Keys
	if err := s.doubt.Resolve(ctx, eng, record.Events, g); err != nil {
		return 0, err
	}
	if len(g.Recs) > 0 {
		end, err := eng.LastSeq(ctx, record.Events)
		if err == nil {
			err = s.note(end, g)
		}
		if err == nil {
			err = s.to.Put(ctx, g)
		}
		if err != nil {
			return 0, fmt.Errorf("forward: %w", err)
		}
	}
	err = s.local.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
		return eng.Purge(ctx, record.Events, "", last+1)
	})
	if err == nil {
		s.doubt.Forget(keys)
	}
	return n, err
}

// note saves that groups are about to be sent, or were, behind a sequence.
func (s *Spool) note(after uint64, groups ...*journal.Group) error {
	if len(groups) == 0 {
		return nil
	}
	s.noted = true
	s.doubt.Add(after, groups...)
	return s.to.Folder.SaveJSON(spoolState, s.doubt)
}

// oldest returns the first records of EVENTS, with when they were accepted, and
// the sequence of the last of them.
func oldest(ctx context.Context, from *journal.Store) (*journal.Group, uint64, error) {
	eng := from.Engine()
	if eng == nil {
		return nil, 0, record.ErrUnavailable
	}
	g, last, size := &journal.Group{}, uint64(0), int64(0)
	err := eng.Read(ctx, record.Events, jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}, func(m *nats.Msg, at record.Place) bool {
		r := record.Read(m)
		g.Recs = append(g.Recs, r)
		g.Notes = append(g.Notes, record.Note{}.WithInt(record.HeadAccepted, at.At.UnixNano()))
		g.Keys = append(g.Keys, r.Key())
		last = at.Seq
		size += record.SizeOf(&r)
		return len(g.Recs) < forwardBatch && size < forwardBytes
	})
	return g, last, err
}

// counted is what the spool held when it was looked at last.
type counted struct {
	mu       sync.Mutex
	at       time.Time
	services map[string]spooled
}

// spooled is what the spool holds for one service.
type spooled struct {
	records int
	oldest  time.Time
}

// by returns what is spooled, by service, at most a second old.
func (c *counted) by(ctx context.Context, local *journal.Store) map[string]spooled {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < countInterval {
		return c.services
	}
	if services, err := look(ctx, local); err == nil {
		c.at, c.services = time.Now(), services
	}
	return c.services
}

func look(ctx context.Context, local *journal.Store) (map[string]spooled, error) {
	eng := local.Engine()
	if eng == nil {
		return nil, record.ErrUnavailable
	}
	counts, err := eng.ServiceCounts(ctx, record.Events)
	services := map[string]spooled{}
	for service, n := range counts {
		one := spooled{records: n}
		m, _, err := eng.GetDirect(ctx, record.Events, fmt.Appendf(nil, `{"seq":1,"next_by_subj":"events.%s.>"}`, service))
		if err == nil {
			one.oldest, _ = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp"))
		}
		services[service] = one
	}
	return services, err
}

// AddTo adds what is spooled to what waits.
func (s *Spool) AddTo(ctx context.Context, stats *record.Stats) {
	if !s.Bridges() {
		return
	}
	for service, n := range s.counted.by(ctx, s.local) {
		one := stats.Services[service]
		one.Waiting += n.records
		if one.Oldest.IsZero() || n.oldest.Before(one.Oldest) {
			one.Oldest = n.oldest
		}
		stats.Services[service] = one
		stats.Spooled += n.records
	}
}

// total is how many records are spooled.
func total(ctx context.Context, local *journal.Store) (int, error) {
	services, err := look(ctx, local)
	n := 0
	for _, one := range services {
		n += one.records
	}
	return n, err
}
