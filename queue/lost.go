package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
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

// errReplaced means that a stream is not the one that the queue knows.
var errReplaced = errors.New("stream was replaced by another")

// identify notes which streams these are. What the queue knows of one that is
// not the one of before is forgotten.
func (q *Queue) identify(ctx context.Context, eng *engine.Engine) error {
	for _, c := range q.committers() {
		s, err := eng.Stream(ctx, c.Stream)
		if err != nil {
			return err
		}
		created, last := s.CachedInfo().Created, s.CachedInfo().State.LastSeq
		c.CommitMu.Lock()
		replaced := !c.Created.IsZero() && !c.Created.Equal(created)
		if c.Created.IsZero() || replaced {
			c.Created, c.Durable = created, last
		}
		c.CommitMu.Unlock()
		if replaced {
			q.lose(c.Stream)
		}
	}
	return nil
}

// watchStreams has the queue begin anew when a stream was deleted or made anew.
func (q *Queue) watchStreams(name string, s jetstream.Stream, err error) {
	for _, c := range q.committers() {
		if c.Stream != name {
			continue
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			q.fail(fmt.Errorf("%s: %w", name, err))
		} else if err == nil {
			c.CommitMu.Lock()
			same := c.Same(s)
			c.CommitMu.Unlock()
			if !same {
				q.fail(fmt.Errorf("%s: %w", name, errReplaced))
			}
		}
	}
}

// lose forgets what a stream held that is gone.
func (q *Queue) lose(stream string) {
	records := 0
	switch stream {
	case record.Events:
		q.events.CommitMu.Lock()
		if q.events.Recent != nil {
			q.events.Recent = journal.NewRecent(q.o.DedupWindow)
		}
		q.events.Claims.Reset()
		q.events.CommitMu.Unlock()
		for _, l := range q.allLanes() {
			records += l.stats().Waiting
			l.reset()
		}
	case record.Retry:
		q.retries.lose()
		for _, l := range q.allLanes() {
			records += l.loseParked()
		}
	case record.Dead:
		q.cached.mu.Lock()
		for _, reasons := range q.cached.dead {
			for _, n := range reasons {
				records += n
			}
		}
		q.cached.mu.Unlock()
	}
	l := Loss{stream, time.Now(), records}
	q.o.Log.Error("stream was deleted or made anew, what it held is lost", "stream", stream, "records", records)
	q.lossMu.Lock()
	defer q.lossMu.Unlock()
	q.losses = append(q.losses, l)
	q.losses = q.losses[max(len(q.losses)-lossKept, 0):]
	if err := q.folder.SaveJSON(lossState, q.losses); err != nil {
		q.o.Log.Warn("that is not kept for the next start", "err", err)
	}
}

// Losses returns what was lost with streams lately, the last one last.
func (q *Queue) Losses() []Loss {
	q.lossMu.Lock()
	defer q.lossMu.Unlock()
	return slices.Clip(q.losses)
}

// lossErr tells of the last loss for a day.
func (q *Queue) lossErr() error {
	losses := q.Losses()
	if n := len(losses); n > 0 && time.Since(losses[n-1].At) < lossShown {
		return errors.New(losses[n-1].String())
	}
	return nil
}
