package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	lossState = "losses" // the name under which they are kept
	lossShown = 24 * time.Hour
	lossKept  = 16
)

// Loss is a stream that was deleted or made anew while the queue worked, as by
// an operator with the nats CLI.
type Loss struct {
	Stream  string    `json:"stream"`
	At      time.Time `json:"at"`
	Records int       `json:"records"` // that it held and the queue still owed, or kept as dead letters
}

func (l Loss) String() string {
	return fmt.Sprintf("stream %s was deleted or made anew at %s: %s lost", l.Stream, l.At.UTC().Format(time.RFC3339), manyAre(l.Records, "record"))
}

func manyAre(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return fmt.Sprintf("%d %ss are", n, thing)
}

// Losses are those of streams lately, the last one last. They are kept with the
// folder.
type Losses struct {
	folder *engine.Folder
	log    *slog.Logger
	mu     sync.Mutex
	list   []Loss
}

func openLosses(f *engine.Folder, log *slog.Logger) *Losses {
	l := &Losses{folder: f, log: log}
	if err := f.LoadJSON(lossState, &l.list); err != nil {
		log.Warn("what was lost before is not known", "err", err)
	}
	return l
}

func (l *Losses) add(one Loss) {
	l.log.Error("stream was deleted or made anew, what it held is lost", "stream", one.Stream, "records", one.Records)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, one)
	l.list = l.list[max(len(l.list)-lossKept, 0):]
	if err := l.folder.SaveJSON(lossState, l.list); err != nil {
		l.log.Warn("that is not kept for the next start", "err", err)
	}
}

// List returns them.
func (l *Losses) List() []Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.list)
}

// Err tells of the last loss for a day.
func (l *Losses) Err() error {
	all := l.List()
	if n := len(all); n > 0 && time.Since(all[n-1].At) < lossShown {
		return errors.New(all[n-1].String())
	}
	return nil
}

// ErrReplaced means that a stream is not the one that the queue knows.
var ErrReplaced = errors.New("stream was replaced by another")

// identify notes which streams these are. What the queue knows of one that is
// not the one of before is forgotten.
func (s *Store) identify(ctx context.Context, eng *engine.Engine) error {
	for _, c := range s.committers() {
		stream, err := eng.Stream(ctx, c.Stream)
		if err != nil {
			return err
		}
		created, last := stream.CachedInfo().Created, stream.CachedInfo().State.LastSeq
		c.CommitMu.Lock()
		replaced := !c.created.IsZero() && !c.created.Equal(created)
		if c.created.IsZero() || replaced {
			c.created, c.durable = created, last
		}
		c.CommitMu.Unlock()
		if replaced {
			s.lose(c.Stream)
		}
	}
	return nil
}

// watch has the store begin anew when a stream was deleted or made anew.
func (s *Store) watch(c *Committer, stream jetstream.Stream, err error) {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s.Fail(fmt.Errorf("%s: %w", c.Stream, err))
	} else if err == nil {
		c.CommitMu.Lock()
		same := c.Same(stream)
		c.CommitMu.Unlock()
		if !same {
			s.Fail(fmt.Errorf("%s: %w", c.Stream, ErrReplaced))
		}
	}
}

// lose forgets what a stream held that is gone.
func (s *Store) lose(stream string) {
	if stream == record.Events {
		s.Events.CommitMu.Lock()
		if s.Events.Recent != nil {
			s.Events.Recent = NewRecent(s.Options.DedupWindow)
		}
		s.Events.Claims.Reset()
		s.Events.CommitMu.Unlock()
	}
	s.Lost.add(Loss{stream, time.Now(), s.Backend.Lose(stream)})
}
