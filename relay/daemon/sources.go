package daemon

import (
	"context"
	"log/slog"
	"sync"

	"callrelay/config"
	callsource "callrelay/relay/source"
)

// sources are the call servers whose events the relay collects itself. A reload
// starts those that are new, starts anew those that changed, and stops those that
// are no more. Safe for concurrent use.
type sources struct {
	open func(c config.Source) callsource.Source
	log  *slog.Logger

	mu      sync.Mutex
	list    []*runningSource // in the order of the file
	running context.Context  // nil until they run
	work    sync.WaitGroup
}

// runningSource is a source and the end of it.
type runningSource struct {
	callsource.Source
	config config.Source
	stop   context.CancelFunc // nil until it runs
	ended  chan struct{}
}

// prepare implements [live].
func (s *sources) prepare(next *Loaded) (commit func(), err error) {
	return func() { s.apply(next.Config.Sources) }, nil
}

// apply has the sources be those of a configuration. One that changed has ended
// before it starts anew: it goes on with the calls it knew.
func (s *sources) apply(wanted []config.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := map[string]*runningSource{}
	for _, r := range s.list {
		before[r.config.Name] = r
	}
	var list []*runningSource
	for i := range wanted {
		r := before[wanted[i].Name]
		if r != nil && len(config.Changes(&r.config, &wanted[i])) == 0 {
			delete(before, r.config.Name)
			list = append(list, r)
		} else {
			list = append(list, nil) // new, or another than before
		}
	}
	for _, r := range before {
		r.end()
	}
	for i := range list {
		if list[i] == nil {
			list[i] = &runningSource{Source: s.open(wanted[i]), config: wanted[i]}
			s.start(list[i])
		}
	}
	s.list = list
}

// start runs a source, if sources run.
func (s *sources) start(r *runningSource) {
	if s.running == nil {
		return
	}
	ctx, stop := context.WithCancel(s.running)
	r.stop, r.ended = stop, make(chan struct{})
	s.work.Go(func() {
		defer close(r.ended)
		defer stop()
		if err := r.Run(ctx); err != nil {
			s.log.Error("source ended", "source", r.config.Name, "err", err)
		}
	})
}

// end stops a source and waits for it.
func (r *runningSource) end() {
	if r.stop != nil {
		r.stop()
		<-r.ended
	}
}

// run runs the sources until ctx ends.
func (s *sources) run(ctx context.Context) error {
	s.mu.Lock()
	s.running = ctx
	for _, r := range s.list {
		s.start(r)
	}
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.running = nil // no reload starts one any more
	s.mu.Unlock()
	s.work.Wait()
	return nil
}

// status returns how each source does.
func (s *sources) status() []callsource.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]callsource.Status, len(s.list))
	for i, r := range s.list {
		list[i] = r.Status()
	}
	return list
}
