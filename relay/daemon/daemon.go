package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/deliver"
	"callrelay/relay/intake"
	"callrelay/relay/limit"
	"callrelay/relay/recordings"
	callsource "callrelay/relay/source"
	"callrelay/relay/source/asterisk"
	"callrelay/relay/source/freeswitch"
	"callrelay/relay/web"
)

// Options are what a [Daemon] is built from.
type Options struct {
	Config   string       // path
	Version  string       // of this binary
	Log      *slog.Logger // required
	Listener net.Listener // the intake socket, when the service manager opened it
}

// Daemon is one relay: its parts, built in order, run together and torn down in
// reverse. All of it lives long; what a reload swaps is with the reloader and the
// parts that it lists.
type Daemon struct {
	reloader

	version  string
	listener net.Listener
	log      *slog.Logger
	started  time.Time
	stopping atomic.Bool
	opEvents *opEvents

	registry    *prometheus.Registry
	descriptors *limit.Descriptors
	tracer      trace.Tracer // nil: nothing is traced
	queue       *queue.Queue
	recordings  *recordings.Recordings // nil without [recordings]
	deliver     *deliver.Deliverer
	deadSeen    *deadSeen
	intake      *intake.Server
	socket      *adminSocket
	server      *web.Server // nil when admin.listen is ""
	sources     *sources
	ledger      *freeswitch.Ledger // what was taken from FreeSWITCH
	closers     []closer
}

// New makes a relay and binds all it needs, without running anything yet.
// After an error nothing is left behind.
func New(ctx context.Context, o Options) (*Daemon, error) {
	p := &Daemon{
		version: o.Version, listener: o.Listener, log: o.Log, started: time.Now(),
	}
	p.reloader = reloader{path: o.Config, log: o.Log, rejected: p.configRejected}
	p.opEvents = newOpEvents(o.Log, p.acceptOwn)
	b := builder{p}
	for _, step := range []func(context.Context) error{
		b.openConfig, b.openTraces, b.openQueue, b.openRecordings, b.openDeliver, b.openIntake, b.openWeb, b.openSources,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// builder builds a Daemon, a step a part.
type builder struct{ *Daemon }

func (p builder) openConfig(context.Context) error {
	if err := p.load(); err != nil {
		return err
	}
	for _, line := range p.configState().Warnings {
		p.log.Warn("configuration warning", "text", line)
	}
	p.registry = web.NewRegistry(p.version)
	p.descriptors = limit.NewDescriptors(p.log, p.registry)
	return nil
}

func (p builder) openQueue(ctx context.Context) error {
	c := p.first.Config.Queue
	o := QueueOptions(p.first.Config)
	o.Listen, o.Log, o.OnHigh = c.Listen, p.log, p.queueHigh
	o.OnStall = p.queueStalled
	o.Hub = HubOf(&c, p.version)
	q, err := queue.Open(ctx, o)
	if err != nil {
		return err
	}
	p.queue = q
	p.onClose("queue", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout-abortTimeout)
		defer cancel()
		return q.Close(ctx)
	})
	p.deadSeen = newDeadSeen(store{q})
	web.CollectState(p.registry, func() string { return operator(p).status().State }, p.queueState, p.configState)
	if _, ok := q.HubState(); ok {
		web.CollectHub(p.registry, func() bool { return p.hubState().Linked })
	}
	return nil
}

func (p builder) openRecordings(context.Context) error {
	c := p.first.Config.Recordings
	if c == nil {
		return nil
	}
	r, err := recordings.Open(c, recordings.Options{
		Log: p.log, Metrics: p.registry, Store: store{p.queue},
		Raise: p.acceptOwn, Descriptors: p.descriptors,
	})
	if err != nil {
		return err
	}
	p.recordings = r
	p.onClose("recordings", r.Close)
	_, err = r.Listen()
	return err
}

func (p builder) openDeliver(context.Context) error {
	o := deliver.Options{
		Queue: p.queue, Log: p.log, Version: p.version,
		Own: p.ownListeners(), Tracer: p.tracer,
		Raise: p.opEvents.raise, Descriptors: p.descriptors,
	}
	if p.recordings != nil {
		o.Recordings = recordingLinks{p.recordings}
	}
	p.deliver = deliver.New(o)
	p.deliver.Apply(p.first.Table)
	return nil
}

func (p builder) openIntake(context.Context) error {
	s, err := intake.New(intake.Options{
		Config: p.first.Config.Intake, Queue: p.queue, Table: p.table,
		Log: p.log, Metrics: p.registry, Version: p.version, Listener: p.listener, Descriptors: p.descriptors,
	})
	if err != nil {
		return err
	}
	p.intake = s
	p.onClose("intake", s.Close)
	s.Handle("POST "+DocumentPath, p.documents())
	return nil
}

func (p builder) openWeb(context.Context) error {
	c := p.first.Config.Admin
	relay := p.operator()
	socket, err := newAdminSocket(c.Socket, func(path string) (*web.Socket, error) { return web.NewSocket(path, relay, p.log) }, p.keepSockets)
	if err != nil {
		return err
	}
	p.socket = socket
	p.onClose("admin socket", func() error { return socket.socket.Close() })
	if c.Listen == "" {
		return nil
	}
	p.server, err = web.New(web.Options{
		Listen: c.Listen, Relay: relay, Registry: p.registry, Metrics: p.deliver.AppendMetrics, Log: p.log,
		Hosts:   func() []string { return p.table().Config.Admin.Hosts },
		Token:   func() string { return p.table().Config.Admin.Token.Value() },
		Proxies: func() []netip.Prefix { return p.table().Config.Admin.TrustedProxies }, Descriptors: p.descriptors,
	})
	if err != nil {
		return err
	}
	p.onClose("admin listener", p.server.Close)
	if p.recordings != nil {
		p.server.Handle("GET /recordings/verify", p.recordings.VerifyHandler())
	}
	return nil
}

func (p builder) openSources(context.Context) error {
	p.sources = &sources{open: p.source, log: p.log}
	p.sources.apply(p.first.Config.Sources)
	p.parts = p.liveParts()
	return nil
}

// source makes a source that does not run yet.
func (p *Daemon) source(c config.Source) callsource.Source {
	o := callsource.Options{Config: c, Emit: p.acceptAll, Store: store{p.queue}, Log: p.log, Metrics: p.registry}
	if r := p.first.Config.Recordings; r != nil {
		o.RecordingsDir = r.Dir
	}
	return sourceTypes(p.ledger)[c.Type](o)
}

// sourceTypes makes a source of each type.
func sourceTypes(ledger *freeswitch.Ledger) map[string]func(callsource.Options) callsource.Source {
	return map[string]func(callsource.Options) callsource.Source{
		config.SourceAsterisk:   func(o callsource.Options) callsource.Source { return asterisk.New(o) },
		config.SourceFreeSWITCH: func(o callsource.Options) callsource.Source { return freeswitch.NewSource(o, ledger) },
	}
}

// liveParts are the parts that take another configuration while they run. What
// they do not name needs a restart. The admin socket is last: it binds.
func (p *Daemon) liveParts() []live {
	parts := []live{
		{keys: []string{"intake.allow_users", "intake.max_event", "intake.timezone", "intake.token"}}, // by the table in force
		{keys: []string{"admin.hosts", "admin.token", "admin.trusted_proxies"}},                       // likewise
		{keys: []string{"service", "defaults", "binding", "mapping"}, prepare: p.prepareDeliver},
		{keys: []string{"source"}, prepare: p.sources.prepare},
	}
	if p.recordings != nil {
		parts = append(parts, live{keys: recordings.LiveKeys(), prepare: p.prepareRecordings})
	}
	return append(parts, live{keys: []string{"admin.socket"}, prepare: p.socket.prepare})
}

func (p *Daemon) prepareDeliver(next *Loaded) (commit func(), err error) {
	return func() { p.deliver.Apply(next.Table) }, nil
}

func (p *Daemon) prepareRecordings(next *Loaded) (commit func(), err error) {
	if next.Config.Recordings == nil {
		return nil, nil
	}
	return p.recordings.Prepare(next.Config.Recordings)
}

// front are the parts that take events and make attempts; they stop first.
func (p *Daemon) front(aborted context.Context) []part {
	parts := []part{
		{"intake", p.intake.Run},
		{"deliver", func(ctx context.Context) error { return p.deliver.Run(ctx, aborted) }},
		{"operational events", p.opEvents.run},
		{"sources", p.sources.run},
	}
	return parts
}

// back are the parts that show and serve; they stop when nothing is in flight.
func (p *Daemon) back() []part {
	parts := []part{{"garbage collector", paceCollector}, {"admin socket", p.socket.run}}
	if p.server != nil {
		parts = append(parts, part{"admin listener", p.server.Run})
	}
	if p.recordings != nil {
		parts = append(parts, part{"recordings", p.recordings.Serve})
	}
	return parts
}

// ownListeners are the addresses that no attempt may dial.
func (p builder) ownListeners() []string {
	c := p.first.Config
	own := []string{c.Intake.Listen, c.Admin.Listen, c.Queue.Listen}
	if c.Recordings != nil {
		own = append(own, c.Recordings.Listen)
	}
	return own
}

// acceptAll takes the events of a source, which may be relay_gaps.
func (p *Daemon) acceptAll(ctx context.Context, events [][]byte) []error {
	return p.intake.Accept(ctx, events...)
}

// acceptOwn takes an event that the relay itself raises. It is durable when nil
// is returned.
func (p *Daemon) acceptOwn(ctx context.Context, event []byte) error {
	return p.intake.Accept(ctx, event)[0]
}

func (p *Daemon) queueHigh(bytes, limit int64) {
	p.log.Error("queue near its limit", "bytes", bytes, "max_bytes", limit)
	p.opEvents.raise(map[string]any{"event": call.QueueHigh, "bytes": bytes, "max_bytes": limit})
}

// queueStalled reports a service that stands still, or of the site when it is
// empty. The queue has logged it.
func (p *Daemon) queueStalled(service, why string) {
	p.opEvents.raise(map[string]any{"event": call.Stalled, "service": service, "error": why})
}

func (p *Daemon) configRejected(problems []string) {
	p.opEvents.raise(map[string]any{"event": call.ConfigRejected, "config": p.path, "problems": len(problems), "problem": problems[0]})
}
