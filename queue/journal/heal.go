package journal

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
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

// Runner keeps a JetStream running, and starts it anew when writing failed. It is
// safe for concurrent use.
type Runner struct {
	Options engine.Options
	Log     *slog.Logger
	Folder  *engine.Folder
	Backend Backend         // what it stands on
	Ctx     context.Context // of the goroutines; ended by the close of the store

	adopt  func(ctx context.Context, eng *engine.Engine, first bool) error // takes up a JetStream that was started
	refuse func(error)                                                     // has nothing taken

	engine atomic.Pointer[engine.Engine] // nil while the server is down

	mu          sync.Mutex
	down        error // why nothing can be written now
	failedAgain error // since a restart began
	broken      chan struct{}

	starting sync.Mutex // held while a goroutine begins, and while they are told to end
	cancel   context.CancelFunc
	work     sync.WaitGroup
}

func newRunner(ctx context.Context, o engine.Options, f *engine.Folder, adopt func(context.Context, *engine.Engine, bool) error, refuse func(error)) *Runner {
	r := &Runner{Options: o, Log: o.Log, Folder: f, adopt: adopt, refuse: refuse, broken: make(chan struct{}, 1)}
	r.Ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return r
}

// Open starts over a backend, with some patience with servers that are being
// started too. After an error the store may be failed, and tries again, or
// released.
func (r *Runner) Open(ctx context.Context, backend Backend) error {
	r.Backend = backend
	began := time.Now()
	patience, _ := backend.Patience()
	for {
		err := r.start(ctx, true)
		if err == nil || time.Since(began) >= patience || ctx.Err() != nil {
			return err
		}
		r.Log.Warn("cluster not ready yet", "err", err)
		engine.Pause(ctx, probeInterval)
	}
}

// start starts the server and brings everything into step with what it has
// stored. It runs at Open, and again after a write error is over.
func (r *Runner) start(ctx context.Context, first bool) error {
	eng, err := r.Backend.Start(ctx)
	if err != nil {
		return err
	}
	if err := r.adopt(ctx, eng, first); err != nil {
		r.engine.Store(nil)
		eng.Stop()
		return err
	}
	return nil
}

// Background runs part until it returns or the store closes. It does nothing once
// that began.
func (r *Runner) Background(part func(context.Context)) {
	r.starting.Lock()
	defer r.starting.Unlock()
	if r.Ctx.Err() == nil {
		r.work.Go(func() { part(r.Ctx) })
	}
}

// finish ends all that runs in the background, and returns when it has.
func (r *Runner) finish() {
	r.starting.Lock()
	r.cancel()
	r.starting.Unlock()
	r.work.Wait()
}

// Engine is the present run of JetStream; nil: it is down.
func (r *Runner) Engine() *engine.Engine { return r.engine.Load() }

// Down is why nothing can be written now; nil: it can.
func (r *Runner) Down() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

// Fail notes that writing failed, or that it is not known whether it did:
// JetStream answers nothing any more after a write error. From here on nothing
// is taken until heal has started the server anew.
func (r *Runner) Fail(err error) {
	r.mu.Lock()
	first := r.down == nil
	if first {
		r.down = fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	down := r.down
	r.failedAgain = err
	r.mu.Unlock()
	if !first {
		return
	}
	r.Backend.Fall()
	r.refuse(down)
	r.Log.Error("queue stopped taking events", "err", err)
	r.broken <- struct{}{}
}

// WatchServer asks the embedded server how it is, until ctx ends. A stream of it
// may freeze without a commit, as when it fails to rewrite a block.
func (r *Runner) WatchServer(ctx context.Context) {
	for eng := range r.Engines(ctx, watchInterval) {
		if eng == nil {
			continue
		}
		if err := eng.Health(); err != nil && eng == r.Engine() {
			r.Fail(err)
		}
	}
}

// Engines yields the running engine again and again until ctx ends; nil: none
// runs.
func (r *Runner) Engines(ctx context.Context, interval time.Duration) iter.Seq[*engine.Engine] {
	return func(yield func(*engine.Engine) bool) {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !yield(r.Engine()) {
				return
			}
		}
	}
}

// heal restarts the server inside the process each time writing failed, as
// soon as the folder can be written again.
func (r *Runner) heal(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.broken:
		}
		for last := ""; !r.restart(ctx, &last); {
			if engine.Pause(ctx, probeInterval); ctx.Err() != nil {
				return
			}
		}
	}
}

// restart tries to start the server in the place of the one that runs, and
// reports whether that is settled. A reason that repeats is logged once.
func (r *Runner) restart(ctx context.Context, last *string) bool {
	if eng := r.engine.Swap(nil); eng != nil {
		eng.Stop()
	}
	if err := r.Backend.Probe(); err != nil {
		return false
	}
	r.mu.Lock()
	r.failedAgain = nil
	r.mu.Unlock()
	err := r.restartIn(ctx)
	if err == nil {
		err = r.upAgain()
	}
	if err != nil {
		if err.Error() != *last {
			*last = err.Error()
			r.Log.Warn("queue not restarted yet", "err", err)
		}
		return false
	}
	r.Log.Info("queue takes events again")
	return true
}

// upAgain ends the time in which nothing is taken, unless something failed since
// the restart began: that takes another one.
func (r *Runner) upAgain() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failedAgain != nil {
		r.refuse(r.down)
		return r.failedAgain
	}
	r.down = nil
	return nil
}

// restartIn starts within the time that a start may take here.
func (r *Runner) restartIn(ctx context.Context) error {
	if _, limit := r.Backend.Patience(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	return r.start(ctx, false)
}
