package source

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	callevent "callrelay/relay/call"
)

// Times of a source.
const (
	MinBackoff   = time.Second            // before the first new try to connect; doubles
	MaxBackoff   = 30 * time.Second       // between two tries
	SaveInterval = 100 * time.Millisecond // between two saved states
	minEmitPause = 100 * time.Millisecond // after the relay refused an event; doubles
	maxEmitPause = 5 * time.Second
	maxTogether  = 256 // events that are handed over together at most
)

// A Machine turns the events of a call server into call events. It knows no
// clock but their stamps. The [Collector] it is in guards it.
type Machine interface {
	State() any                      // a pointer to what is kept across a restart of the relay, as JSON
	Restored()                       // that was read back
	Dropped(lost Loss) []Event       // says that events did not fit in the spool
	Miss(format string, args ...any) // counts what could not be turned
	Missed() (count int, last string)
	Calls() int           // in progress
	LastStamp() time.Time // the last stamp; zero: none yet
}

// A Session is one connection to a call server.
type Session interface {
	Run(ctx context.Context) error // until it breaks, or ctx ends
	Settled() bool                 // whether the gap before it is reported
}

// Collector keeps a machine fed and its events on their way: it connects again
// for ever, keeps what the relay cannot take in a bounded spool, and the calls
// in progress durable. Run it once. It is safe for concurrent use; what is fed
// to the machine holds it locked.
type Collector struct {
	o       Options
	log     *slog.Logger
	connect func(reason string, from time.Time) Session
	metrics []prometheus.Collector

	sync.Mutex // guards the machine and all below
	machine    Machine
	spool      *spool
	status     Status
	unsaved    string        // why the state is not saved; empty: it is
	dirty      chan struct{} // holds a token when the state has changed since it was saved
}

// New returns a collector that is not running yet. Each session learns why
// nothing was heard before it, and since when.
func New(o Options, m Machine, connect func(reason string, from time.Time) Session) *Collector {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Collector{
		o:       o,
		log:     o.Log.With("source", o.Config.Name),
		spool:   newSpool(o.Spool),
		connect: connect,
		machine: m,
		status:  Status{Name: o.Config.Name, Type: o.Config.Type, Address: o.Config.Address},
		dirty:   make(chan struct{}, 1),
	}
	if o.Metrics != nil {
		s.metrics = metrics(s)
		o.Metrics.MustRegister(s.metrics...)
	}
	return s
}

// Run collects until ctx ends and returns nil then. It goes on for ever when
// the call server is away.
func (s *Collector) Run(ctx context.Context) error {
	for _, m := range s.metrics {
		defer s.o.Metrics.Unregister(m)
	}
	reason := s.restore()
	var parts sync.WaitGroup
	parts.Go(func() { s.emit(ctx) })
	parts.Go(func() { s.keep(ctx) })
	s.sessions(ctx, reason)
	parts.Wait()
	s.save()
	return nil
}

// sessions keeps a session going.
func (s *Collector) sessions(ctx context.Context, reason string) {
	pause, from := MinBackoff, s.lastStamp()
	for ctx.Err() == nil {
		session := s.connect(reason, from)
		err := session.Run(ctx)
		if ctx.Err() != nil {
			return
		}
		s.disconnected(err)
		if session.Settled() {
			reason, from, pause = GapDisconnect, s.lastStamp(), MinBackoff
		}
		Wait(ctx, jitter(pause))
		pause = min(2*pause, MaxBackoff)
	}
}

// emit hands the spooled events over in order, all together that wait: so a
// burst of them costs a commit or two.
func (s *Collector) emit(ctx context.Context) {
	pause := minEmitPause
	for ctx.Err() == nil {
		s.Lock()
		events := s.spool.first(maxTogether)
		s.Unlock()
		bodies := make([][]byte, len(events))
		for i, o := range events {
			bodies[i] = o.Body
		}
		switch {
		case len(events) == 0:
			select {
			case <-ctx.Done():
			case <-s.spool.more:
			}
		case s.emitted(events, s.o.Emit(ctx, bodies)):
			pause = minEmitPause
		default: // what is not settled when ctx ends stays in the state that is saved
			Wait(ctx, pause)
			pause = min(2*pause, maxEmitPause)
		}
	}
}

// emitted settles events and reports whether all are: the relay has them, or
// will never take them.
func (s *Collector) emitted(events []Event, errs []error) (all bool) {
	s.Lock()
	defer s.Unlock()
	waits := make([]bool, len(events))
	for i, err := range errs {
		_, never := errors.AsType[*callevent.Error](err)
		switch {
		case err == nil:
			s.status.Turned++
		case never:
			s.machine.Miss("%s refused: %v", events[i].Name, err)
		case !errors.Is(err, context.Canceled):
			s.trouble(&s.status.Refusal, "event waits, the relay takes none", err)
			fallthrough
		default:
			waits[i] = true
		}
	}
	if all = !slices.Contains(waits, true); all {
		s.status.Refusal = ""
	}
	s.spool.settle(waits)
	if lost, ok := s.spool.loss(); ok {
		s.Put(s.machine.Dropped(lost))
	}
	s.Touch()
	return all
}

// Put spools what the machine turned. The caller holds the lock.
func (s *Collector) Put(events []Event) {
	for _, o := range events {
		if o.Name == callevent.Gap {
			s.status.Gaps++
			s.log.Warn("events of the call server may be missing", "gap", json.RawMessage(o.Body))
		}
		s.spool.put(o)
	}
}

// Wait returns after d, or when ctx ends.
func Wait(ctx context.Context, d time.Duration) {
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
