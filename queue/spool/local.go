package spool

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// ground is the embedded server of a spool, whose records are taken from its
// stream as they lie there.
type ground struct {
	journal.Embedded
	known *journal.Known
}

// Recover reads the ids that it knows.
func (g *ground) Recover(ctx context.Context, eng *engine.Engine, first bool) error {
	err := g.Embedded.Recover(ctx, eng, first)
	if err == nil && first {
		g.known, err = g.Store.BeginKnown(ctx, eng)
	}
	return err
}

// Serve only counts what there is.
func (g *ground) Serve(ctx context.Context, eng *engine.Engine) error {
	_, _, err := g.Store.Measure(ctx, eng)
	return err
}

// Lose has nothing to forget.
func (g *ground) Lose(string) int { return 0 }

// openLocal opens the store of a spool.
func openLocal(ctx context.Context, o engine.Options, claims *journal.Claims) (*journal.Store, error) {
	s, err := journal.NewStore(ctx, o, claims)
	if err != nil {
		return nil, err
	}
	g := &ground{Embedded: journal.Embedded{Store: s}}
	if err := s.Open(ctx, g); err != nil {
		s.Release()
		return nil, err
	}
	s.Run()
	s.Background(s.WatchServer)
	s.Background(func(ctx context.Context) { g.known.Run(ctx, takeBack(s)) })
	s.Background(func(ctx context.Context) { tend(ctx, s) })
	return s, nil
}

// takeBack deletes a record that is a copy.
func takeBack(s *journal.Store) func(context.Context, journal.Lying) error {
	return func(ctx context.Context, at journal.Lying) error {
		return s.Remove(ctx, func(ctx context.Context, eng *engine.Engine) error {
			return eng.DeleteEach(ctx, record.Events, []uint64{at.Seq})
		})
	}
}

// tend looks at the clock, and at what the streams hold, until ctx ends.
func tend(ctx context.Context, s *journal.Store) {
	for eng := range s.Engines(ctx, countInterval) {
		s.Clock.Look(time.Now())
		if eng == nil {
			continue
		}
		if _, _, err := s.Measure(ctx, eng); err != nil {
			s.Log.Debug("state of the spool not read", "err", err)
		}
	}
}

func closeLocal(s *journal.Store) error {
	s.End()
	return s.Close(func(*engine.Engine) error { return nil })
}

// Held returns how many records lie in the spool of a queue that is not open.
func Held(ctx context.Context, dir string) (n int, err error) {
	dir = filepath.Join(dir, spoolFolder)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	s, err := openLocal(ctx, engine.Options{Dir: dir}, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, closeLocal(s)) }()
	return total(ctx, s)
}
