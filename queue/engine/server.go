package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/time/rate"
)

// Never is an interval that does not come.
const Never = 10 * 365 * 24 * time.Hour

// compactRate is about how many bytes a second a relay writes at most.
const compactRate = 50 << 20

// compactInterval is how often JetStream looks for files that hold little more
// than what was purged, and writes them anew: seldom, for an event that comes
// meanwhile waits, but before more than maxBytes can have been written.
func compactInterval(maxBytes int64) time.Duration {
	return min(max(time.Duration(maxBytes/compactRate)*time.Second, 2*time.Second), 30*time.Second)
}

// slackBytes is what the server may store beyond the limits of the streams.
const slackBytes = 1 << 30

// Engine is one run of the JetStream that the queue stands on: the embedded
// server, or a cluster, and this process's connections to it. After a write
// error the queue drops it and starts another one over the same streams.
type Engine struct {
	*api
	reader
	counter
	remover
	copier

	srv    JetStream          // in this process; nil: the JetStream is a cluster's
	Server *natsserver.Server // nil: it is no embedded server
	Pub    *nats.Conn         // what the committers write
	Log    *nats.Conn         // attempts and transcripts, which may be lost
	Hub    *nats.Conn         // in the account that a hub is linked to; nil without one

	proxy *apiProxy // nil in a cluster

	Served map[string]bool // in a cluster: whose consumers of EVENTS it had when it was connected to
}

// Link has the embedded server be a leaf node of a hub.
type Link interface {
	// Join changes the options of a server that is about to start.
	Join(*natsserver.Options) error
	// Open opens the one way from the streams to the hub, and returns a connection
	// of the account that the hub is linked to.
	Open(*natsserver.Server) (*nats.Conn, error)
	// Takes keeps a line of the server's log, if it is of the link.
	Takes(line string) bool
}

// JetStream is one in this process. The simulation has one that fails as it is
// told.
type JetStream interface {
	nats.InProcessConnProvider
	Health() error
	Stop()
}

// embeddedJetStream is that of the embedded server.
type embeddedJetStream struct {
	*natsserver.Server
	said *serverLog
}

// Stop returns when the server has written its indexes.
func (s embeddedJetStream) Stop() {
	s.Shutdown()
	s.WaitForShutdown()
}

// Health says what ails the server. That a stream is frozen is part of it. That
// it takes no connections is no ailment: none is made after the start, and it
// allows itself a millisecond to find out, which passes on a busy machine.
func (s embeddedJetStream) Health() error {
	if err := s.said.cause(); err != nil {
		return err
	}
	for _, found := range s.Healthz(&natsserver.HealthzOptions{Details: true}).Errors {
		if found.Type != natsserver.HealthzErrorConn {
			return fmt.Errorf("embedded server: %s", found.Error)
		}
	}
	return nil
}

// Start starts the embedded server and connects to it. Recovery of the
// stored streams happens inside the start, so this returns when it is done.
// Without a hub the link is nil.
func Start(ctx context.Context, f *Folder, o Options, hub Link) (*Engine, error) {
	if o.Seams.JetStream != nil {
		e := &Engine{srv: o.Seams.JetStream()}
		if err := e.connect(""); err != nil {
			e.Stop()
			return nil, err
		}
		return e, nil
	}
	ctxs, err := readContexts(f)
	if err != nil {
		return nil, err
	}
	own := NewPassword()
	opts, err := serverOptions(f, o)
	if err == nil {
		err = setUsers(opts, own, ctxs)
	}
	if err == nil && hub != nil {
		err = hub.Join(opts)
	}
	if err != nil {
		return nil, err
	}
	ns, said, err := startServer(ctx, opts, &serverLog{log: o.Log, hub: hub})
	if err != nil {
		return nil, err
	}
	e := &Engine{srv: embeddedJetStream{ns, said}, Server: ns}
	err = ns.GlobalAccount().EnableJetStream(nil, nil) // a server of several accounts has it only where it is told to
	if err == nil && hub != nil {
		e.Hub, err = hub.Open(ns)
	}
	if err == nil {
		err = e.connect(own)
	}
	if err == nil {
		e.proxy, err = openProxy(e, own)
	}
	if err == nil && o.Listen != "" {
		err = ctxs.write(f, "nats://"+e.Address())
	}
	if err != nil {
		e.Stop()
		return nil, err
	}
	return e, nil
}

func serverOptions(f *Folder, o Options) (*natsserver.Options, error) {
	opts := &natsserver.Options{
		ServerName:             "relay",
		StoreDir:               f.Dir,
		JetStream:              true,
		SyncAlways:             true,                        // what is acknowledged is on disk
		SyncInterval:           compactInterval(o.MaxBytes), // of what purges leave behind, too
		JetStreamMaxStore:      2*o.MaxBytes + o.DeadMaxBytes + 3*MaxWaitingBytes + attemptsMaxBytes + debugMaxBytes + slackBytes,
		JetStreamMaxMemory:     64 << 20,
		JetStreamLimits:        natsserver.JSLimitOpts{DefaultMaxConsumers: -1},
		NoSigs:                 true, // signals belong to the relay
		DontListen:             o.Listen == "",
		DisableJetStreamBanner: true,
		MaxPayload:             8 << 20,
		MaxConn:                maxClients,
		MaxClosedClients:       16, // remembered; strangers come and go by the thousand
	}
	if o.Listen == "" {
		return opts, nil
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", o.Listen, err)
	}
	opts.Host = host
	if opts.Port, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("listen %s: %w", o.Listen, err)
	}
	if opts.Port == 0 {
		opts.Port = natsserver.RANDOM_PORT
	}
	return opts, nil
}

// startServer runs the server and waits until it is ready, has failed, or ctx
// ends. A failed start only tells its logger, so that is where it is read.
func startServer(ctx context.Context, opts *natsserver.Options, sl *serverLog) (*natsserver.Server, *serverLog, error) {
	ns, err := natsserver.NewServer(opts)
	if err != nil {
		return nil, nil, fmt.Errorf("start embedded server: %w", err)
	}
	sl.failed, sl.refused = make(chan struct{}), rate.Sometimes{First: 20, Interval: time.Second}
	ns.SetLoggerV2(sl, false, false, false)
	started, ready := make(chan struct{}), make(chan struct{})
	go func() {
		ns.Start()
		close(started)
		for !ns.ReadyForConnections(time.Second) && ns.Running() {
		}
		close(ready)
	}()
	select {
	case <-ready:
		if ns.JetStreamEnabled() {
			return ns, sl, nil
		}
		err = errors.New("JetStream is off")
	case <-sl.failed:
		err = sl.cause()
	case <-ctx.Done():
		err = ctx.Err()
	}
	<-started // a server must not be stopped while it starts
	ns.Shutdown()
	<-ready
	return nil, nil, fmt.Errorf("start embedded server: %w", errors.Join(err, sl.cause()))
}

// connect opens the connections of this process. They are separate so that a
// burst on one never delays the others.
func (e *Engine) connect(password string) error {
	err := e.dial(&api{alone: true}, "", nats.InProcessServer(e.srv), nats.UserInfo(OwnUser, password),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.CustomInboxPrefix(InboxPrefix(OwnUser)))
	if err != nil {
		return fmt.Errorf("connect to embedded server: %w", err)
	}
	return nil
}

func (e *Engine) dial(a *api, url string, options ...nats.Option) error {
	e.api, e.reader, e.counter, e.remover, e.copier = a, reader{a}, counter{a}, remover{a}, copier{a}
	options = append(options, nats.SkipSubjectValidation(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	for _, conn := range []**nats.Conn{&a.NC, &e.Pub, &e.Log} {
		nc, err := nats.Connect(url, options...)
		if err != nil {
			return err
		}
		*conn = nc
	}
	var err error
	a.JS, err = jetstream.New(a.NC, jetstream.WithDefaultTimeout(RequestTimeout))
	return err
}

// Health is what ails the embedded server.
func (e *Engine) Health() error { return e.srv.Health() }

// Stop ends the connections and the server, which writes its indexes.
func (e *Engine) Stop() {
	if e.proxy != nil {
		e.proxy.nc.Close()
	}
	conns := []*nats.Conn{e.Hub, e.Log, e.Pub}
	if e.api != nil {
		conns = append(conns, e.NC)
	}
	for _, nc := range conns {
		if nc != nil {
			nc.Close()
		}
	}
	if e.srv != nil {
		e.srv.Stop()
	}
}

// Address returns where the nats CLI reaches the server; empty without listener.
func (e *Engine) Address() string {
	if addr := e.Server.Addr(); addr != nil {
		return addr.String()
	}
	return ""
}

// maxClients bounds who is connected to the server, strangers among them: those
// have two seconds to show who they are.
const maxClients = 128

// refusedSaid are how the server says that it let somebody not in.
var refusedSaid = []string{"authentication error", "maximum connections exceeded", "maximum authentication"}

// serverLog passes the server's warnings on and remembers why a start failed, or
// a stream froze.
type serverLog struct {
	log *slog.Logger
	hub Link // nil: none

	refused rate.Sometimes // of what is logged of those who are not let in

	once   sync.Once
	failed chan struct{}
	mu     sync.Mutex
	err    error
}

func (l *serverLog) Fatalf(format string, v ...any) {
	l.note(fmt.Errorf(format, v...))
	l.once.Do(func() { close(l.failed) })
}

func (l *serverLog) note(err error) {
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
}

func (l *serverLog) cause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *serverLog) Errorf(format string, v ...any) {
	said := fmt.Sprintf(format, v...)
	if l.linked(said) { // before all else: a hub says what it likes
		return
	}
	if slices.ContainsFunc(refusedSaid, func(s string) bool { return strings.Contains(said, s) }) {
		l.refused.Do(func() { l.log.Warn("connection to the queue refused", "err", said) })
		return
	}
	l.log.Error("embedded server reported an error", "err", said)
}

func (l *serverLog) Warnf(format string, v ...any) {
	said := fmt.Sprintf(format, v...)
	if !l.linked(said) {
		l.log.Warn("embedded server warned", "err", said)
	}
}

// linked reports whether a line is of the link to a hub.
func (l *serverLog) linked(line string) bool { return l.hub != nil && l.hub.Takes(line) }

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}
