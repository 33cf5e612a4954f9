package asterisk

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/config"
	callevent "callrelay/relay/call"
)

// Times of a source.
const (
	MinBackoff   = time.Second            // before the first new try to connect; doubles
	MaxBackoff   = 30 * time.Second       // between two tries
	SaveInterval = 100 * time.Millisecond // between two saved states
	minEmitPause = 100 * time.Millisecond // after the relay refused an event; doubles
	maxEmitPause = 5 * time.Second
)

// Store keeps small things durably. The queue does.
type Store interface {
	Save(name string, data []byte) error
	Load(name string) ([]byte, error)
}

// Options say what a source is and where its events go.
type Options struct {
	Config        config.Source
	RecordingsDir string // the folder of recordings here; Config.RecordingsFrom is the call server's name for it, when that differs

	// Emit takes one event, a JSON object, as the relay's own. It is durable
	// once nil is returned. A [callevent.Error] means that the event is refused for
	// good; after any other error it is offered again.
	Emit func(ctx context.Context, event []byte) error

	Store   Store                 // nil: a restart of the relay knows nothing of the calls in progress
	Log     *slog.Logger          // nil: none
	Metrics prometheus.Registerer // nil: none
}

// Source collects the events of one Asterisk. Run it once.
type Source struct {
	o     Options
	log   *slog.Logger
	spool *spool

	mu      sync.Mutex // guards all below
	machine *machine
	status  Status
	unsaved string        // why the state is not saved; empty: it is
	dirty   chan struct{} // holds a token when the state has changed since it was saved
}

// New returns a source that is not running yet.
func New(o Options) *Source {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	from := o.Config.RecordingsFrom
	if from == "" {
		from = o.RecordingsDir
	}
	s := &Source{
		o:       o,
		log:     o.Log.With("source", o.Config.Name),
		spool:   newSpool(),
		machine: newMachine(o.Config.Name, o.Config.Queues, o.Config.Phones, files{From: from}),
		status:  Status{Name: o.Config.Name, Type: o.Config.Type, Address: o.Config.Address},
		dirty:   make(chan struct{}, 1),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(newCollector(s))
	}
	return s
}

// Run collects until ctx ends and returns nil then. It goes on for ever when
// Asterisk is away.
func (s *Source) Run(ctx context.Context) error {
	reason := s.restore()
	var parts sync.WaitGroup
	parts.Go(func() { s.emit(ctx) })
	parts.Go(func() { s.keep(ctx) })
	s.connect(ctx, reason)
	parts.Wait()
	s.save()
	return nil
}

// connect keeps a session going.
func (s *Source) connect(ctx context.Context, reason string) {
	pause, from := MinBackoff, s.lastHeard()
	for ctx.Err() == nil {
		session := &session{source: s, reason: reason, from: from}
		err := session.run(ctx)
		if ctx.Err() != nil {
			return
		}
		s.disconnected(err)
		if session.settled {
			reason, from, pause = gapDisconnect, s.lastHeard(), MinBackoff
		}
		wait(ctx, jitter(pause))
		pause = min(2*pause, MaxBackoff)
	}
}

// emit hands the spooled events over, one after the other.
func (s *Source) emit(ctx context.Context) {
	pause := minEmitPause
	for {
		o, ok := s.spool.first()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-s.spool.more:
			}
			continue
		}
		err := s.o.Emit(ctx, o.Body)
		if ctx.Err() != nil && err != nil {
			return // it stays in the state that is saved
		}
		if !s.emitted(o, err) {
			wait(ctx, pause)
			pause = min(2*pause, maxEmitPause)
			continue
		}
		pause = minEmitPause
	}
}

// emitted settles one event and reports whether it is: the relay has it, or
// will never take it.
func (s *Source) emitted(o output, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, never := errors.AsType[*callevent.Error](err)
	switch {
	case err == nil:
		s.status.Turned++
		s.status.Refusal = ""
	case never:
		s.machine.miss("%s refused: %v", o.Name, err)
	default:
		s.trouble(&s.status.Refusal, "event waits, the relay takes none", err)
		return false
	}
	s.spool.drop()
	if lost, ok := s.spool.loss(); ok {
		s.put(s.machine.dropped(lost))
	}
	s.touch()
	return true
}

// put spools what the machine turned. The caller holds mu.
func (s *Source) put(events []output) {
	for _, o := range events {
		if o.Name == callevent.Gap {
			s.status.Gaps++
		}
		s.spool.put(o)
	}
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// jitter spreads a pause by a fifth, so that many sources do not come back at
// one moment.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*d/5)
}
