package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	stopTimeout  = 20 * time.Second // from the signal to the end
	abortTimeout = 17 * time.Second // what is in flight then goes back to the queue
)

// Serve runs a relay as a service manager does: it logs to stderr, takes the
// socket that it may inherit, and reloads at SIGHUP. The error is a
// [Problems] when the configuration cannot be put in force.
func Serve(ctx context.Context, config, version string, stderr io.Writer) error {
	hangup := make(chan os.Signal, 1) // before anything else: it must not kill
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)

	limitMemory()
	listener, err := inheritedListener()
	if err != nil {
		return err
	}
	p, err := New(ctx, Options{Config: config, Version: version, Log: NewLogger(stderr), Listener: listener})
	if errors.Is(err, context.Canceled) {
		return nil // stopped while it started
	}
	if err != nil {
		return err
	}
	return p.Run(ctx, hangup)
}

// Run runs all parts until ctx ends or one of them fails, then stops in two
// steps: what takes events and makes attempts first, and once nothing is in
// flight what shows and serves. Each stop has an end: after abortTimeout
// attempts are broken off and go back to the queue.
func (p *Daemon) Run(ctx context.Context, hangup <-chan os.Signal) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	aborted, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	front, back := &group{fail: fail}, &group{fail: fail}
	for _, part := range p.back() {
		back.start(serving, part)
	}
	for _, part := range p.front(aborted) {
		front.start(ctx, part)
	}
	front.start(ctx, part{"reload", func(ctx context.Context) error { return p.reloadOn(ctx, hangup) }})
	front.start(ctx, part{"watchdog", p.watchdog})
	NotifyReady()
	p.log.Info("relay started", "version", p.version, "config", p.path, "fingerprint", p.current.Load().Config.Fingerprint())

	<-ctx.Done()
	stopped := time.Now()
	p.stopping.Store(true)
	notifyStopping()
	p.log.Info("relay stopping")
	timer := time.AfterFunc(abortTimeout, abort)
	defer timer.Stop()
	front.wait()
	p.opEvents.flush(serving)
	stopServing()
	back.wait()
	err := errors.Join(failure(ctx), p.Close())
	p.log.Info("relay stopped", "elapsed", time.Since(stopped))
	return err
}

// failure is the error of the part that stopped all, or nil when ctx ended
// because the caller ended it.
func failure(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// reloadOn reloads at each hangup signal.
func (p *Daemon) reloadOn(ctx context.Context, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			p.reload()
		}
	}
}

// A part runs until its context ends. An error from it stops all parts.
type part struct {
	name string
	run  func(ctx context.Context) error
}

// group runs parts and waits for them.
type group struct {
	fail    context.CancelCauseFunc
	running sync.WaitGroup
}

func (g *group) start(ctx context.Context, p part) {
	g.running.Go(func() {
		if err := p.run(ctx); err != nil {
			g.fail(fmt.Errorf("%s: %w", p.name, err))
		}
	})
}

func (g *group) wait() { g.running.Wait() }

// closer undoes one step of the building.
type closer struct {
	name  string
	close func() error
}

// Close undoes the building in reverse, once.
func (p *Daemon) Close() error {
	var errs []error
	for len(p.closers) > 0 {
		last := p.closers[len(p.closers)-1]
		p.closers = p.closers[:len(p.closers)-1]
		if err := last.close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", last.name, err))
		}
	}
	return errors.Join(errs...)
}

func (p *Daemon) onClose(name string, do func() error) {
	p.closers = append(p.closers, closer{name, do})
}
