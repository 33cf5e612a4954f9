package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	// probeInterval is how often the folder is tried while it cannot be written.
	probeInterval = 250 * time.Millisecond
	// watchInterval is how often the embedded server is asked how it is.
	watchInterval = time.Second
)

// Health returns nil when the queue can take records, and else why not. It is
// cheap.
func (q *Queue) Health() error {
	select {
	case <-q.closed:
		return fmt.Errorf("%w: closed", record.ErrUnavailable)
	default:
	}
	if s := q.base.bridge(); s != nil && s.bridges() {
		return s.local.Health()
	}
	if err := q.downErr(); err != nil {
		return err
	}
	return q.room(0)
}

// Degraded returns nil when records go where they belong and stay there, and else
// why they are spooled, which services stand still, that nobody keeps the site, or
// what was lost with a stream in the last 24 hours.
func (q *Queue) Degraded() error {
	var all []string
	for _, err := range []error{q.spooling(), q.stalled(), q.lossErr()} {
		if err != nil {
			all = append(all, err.Error())
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New(strings.Join(all, "; "))
}

// spooling is why records are spooled; nil: they are not.
func (q *Queue) spooling() error {
	s := q.base.bridge()
	if s == nil || !s.bridges() {
		return nil
	}
	if err := q.downErr(); err != nil {
		return fmt.Errorf("events are spooled: %w", err)
	}
	return errors.New("spooled events are being forwarded")
}

// downErr is why nothing can be written now; nil: it can.
func (q *Queue) downErr() error {
	q.downMu.Lock()
	defer q.downMu.Unlock()
	return q.down
}

// fail notes that writing failed, or that it is not known whether it did:
// JetStream answers nothing any more after a write error. From here on nothing
// is taken until heal has started the server anew.
func (q *Queue) fail(err error) {
	q.downMu.Lock()
	first := q.down == nil
	if first {
		q.down = fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	down := q.down
	q.failedAgain = err
	q.downMu.Unlock()
	if !first {
		return
	}
	q.base.fall()
	for _, c := range q.committers() {
		c.SetRefuse(down)
	}
	q.o.Log.Error("queue stopped taking events", "err", err)
	q.broken <- struct{}{}
}

// watchServer asks the embedded server how it is. A stream of it may freeze
// without a commit, as when it fails to rewrite a block.
func (q *Queue) watchServer(ctx context.Context) {
	for eng := range q.engines(ctx, watchInterval) {
		if eng == nil {
			continue
		}
		if err := eng.Health(); err != nil && eng == q.engine.Load() {
			q.fail(err)
		}
	}
}

// engines yields the running engine again and again until ctx ends; nil: none
// runs.
func (q *Queue) engines(ctx context.Context, interval time.Duration) iter.Seq[*engine.Engine] {
	return func(yield func(*engine.Engine) bool) {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !yield(q.engine.Load()) {
				return
			}
		}
	}
}

// heal restarts the server inside the process each time writing failed, as
// soon as the folder can be written again.
func (q *Queue) heal(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.broken:
		}
		for last := ""; !q.restart(ctx, &last); {
			select {
			case <-ctx.Done():
				return
			case <-time.After(probeInterval):
			}
		}
	}
}

// restart tries to start the server in the place of the one that runs, and
// reports whether that is settled. A reason that repeats is logged once.
func (q *Queue) restart(ctx context.Context, last *string) bool {
	if eng := q.engine.Swap(nil); eng != nil {
		eng.Stop()
	}
	q.lighten()
	if err := q.base.probe(); err != nil {
		return false
	}
	q.downMu.Lock()
	q.failedAgain = nil
	q.downMu.Unlock()
	err := q.restartIn(ctx)
	if err == nil {
		err = q.upAgain()
	}
	if err != nil {
		if err.Error() != *last {
			*last = err.Error()
			q.o.Log.Warn("queue not restarted yet", "err", err)
		}
		return false
	}
	q.o.Log.Info("queue takes events again")
	return true
}

// upAgain ends the time in which nothing is taken, unless something failed since
// the restart began: that takes another one.
func (q *Queue) upAgain() error {
	q.downMu.Lock()
	defer q.downMu.Unlock()
	if q.failedAgain != nil {
		for _, c := range q.committers() {
			c.SetRefuse(q.down)
		}
		return q.failedAgain
	}
	q.down = nil
	return nil
}

// restartIn starts within the time that a start may take here.
func (q *Queue) restartIn(ctx context.Context) error {
	if _, limit := q.base.patience(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return q.start(ctx, false)
}
