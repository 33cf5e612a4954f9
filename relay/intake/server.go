package intake

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/limit"
	"callrelay/relay/route"
)

// Limits of what peers may do.
const (
	MaxConnections = 1024     // on each listener; more get 503 and are closed
	MaxEvents      = 1000     // of one request
	MaxRequest     = 8 << 20  // bytes of one request
	maxSplit       = 32 << 20 // bytes of one request after splitting into segments
	smallRequest   = 8 << 10  // bytes; more is of the peer's share
	peerBytes      = 8 << 20  // what one user may have the relay hold, over all connections

	headerTimeout  = 10 * time.Second // for a request's headers
	requestTimeout = time.Minute      // for a whole request
	idleTimeout    = 10 * time.Minute // between the requests of a peer whose events were taken
	shareTimeout   = 10 * time.Second // for a share of bytes to become free
	drainTimeout   = 5 * time.Second  // for peers to take their answers when the relay stops
)

// Appender makes records durable. Done is called once, after they are on disk
// or with the reason why they are not, and does not block.
type Appender interface {
	Append(recs []queue.Record, done func(error))
}

// Options say where events come from and where they go. Config, Queue and Table
// are required.
type Options struct {
	Config   config.Intake
	Queue    Appender
	Table    func() *route.Table   // the one in force
	Log      *slog.Logger          // nil: nothing is logged
	Metrics  prometheus.Registerer // nil: nothing is registered
	Version  string                // sent to peers that speak HTTP
	Listener net.Listener          // in place of Config.Socket: from the service manager

	Descriptors *limit.Descriptors // notified when there are none left; nil: nobody is
}

// Server takes events. It is safe for concurrent use.
type Server struct {
	queue    Appender
	table    func() *route.Table
	log      *slog.Logger
	version  string
	metrics  *metrics
	unbound  unbound
	refusals *refusals

	socket   *limit.Listener
	loopback *limit.Listener // nil: not wanted
	web      *http.Server
	feed     *feed          // connections to the socket that speak HTTP
	further  *http.ServeMux // routes added by Handle
	bytes    *limit.Bytes   // of requests, long lines and answers not taken
	guesses  *limit.Guesses // of the token

	descriptors *limit.Descriptors

	wait  sync.WaitGroup // for connections to the socket that do not speak HTTP
	lines connections    // those of them that send lines
}

// New binds the socket and the loopback listener. It refuses a socket on which
// another relay listens, and a path that is no socket.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		queue: o.Queue, table: o.Table, log: o.Log, metrics: newMetrics(o.Metrics), version: o.Version,
		refusals: newRefusals(o.Log), lines: connections{open: map[*limit.Conn]struct{}{}}, further: http.NewServeMux(),
		bytes: limit.NewBytes(peerBytes), guesses: limit.NewGuesses(time.Second, 20), descriptors: o.Descriptors,
	}
	if err := s.listen(o); err != nil {
		return nil, err
	}
	s.web = httpIntake{s}.newWeb()
	return s, nil
}

// listen binds what the options ask for.
func (s *Server) listen(o Options) error {
	inner := o.Listener
	if inner == nil {
		var err error
		if inner, err = listenSocket(o.Config); err != nil {
			return err
		}
	}
	s.socket = s.bound(inner, true)
	s.feed = newFeed(inner.Addr())
	if o.Config.Listen == "" {
		return nil
	}
	tcp, err := net.Listen("tcp", o.Config.Listen)
	if err != nil {
		_ = inner.Close()
		return err
	}
	s.loopback = s.bound(tcp, false)
	return nil
}

// Addr returns the address of the loopback listener, or nil when there is none.
func (s *Server) Addr() net.Addr {
	if s.loopback == nil {
		return nil
	}
	return s.loopback.Addr()
}

// Handle adds a route to the socket, and to the loopback listener behind its
// token. Call servers that cannot send a bearer token may send it as the
// password of basic authentication there. Call Handle before Run.
func (s *Server) Handle(pattern string, h http.Handler) {
	s.further.Handle(pattern, h)
}

// Run takes events until ctx ends. Then it takes nothing more, answers what is
// being committed and returns nil. An error means that a listener failed.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 3)
	var serving sync.WaitGroup
	serving.Go(func() { failed <- s.acceptSocket(ctx) })
	serving.Go(func() { failed <- s.web.Serve(s.feed) })
	if s.loopback != nil {
		serving.Go(func() { failed <- s.web.Serve(s.loopback) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.stop(ctx)
	serving.Wait() // first: until then connections may be added to those waited for
	s.wait.Wait()
	return err
}

// Close unbinds what New has bound. It does nothing after Run.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []*limit.Listener{s.socket, s.loopback} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// stop takes nothing more and lets those who speak HTTP have their answers.
func (s *Server) stop(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	_ = s.socket.Close()
	s.lines.stop()
	if err := s.web.Shutdown(ctx); err != nil {
		_ = s.web.Close()
	}
}

// acceptSocket takes connections to the socket until it is closed.
func (s *Server) acceptSocket(ctx context.Context) error {
	for {
		c, err := s.socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		s.wait.Go(func() { s.serveSocket(ctx, c.(*limit.Conn)) })
	}
}

// Accept takes events that the relay has at hand itself, in order and each for
// itself, and returns what became of each. Those without an error are on disk.
// Names that only the relay may give are allowed. Errors: a [call.Error] when
// an event is refused, else those of the queue.
func (s *Server) Accept(ctx context.Context, events ...[]byte) []error {
	type result struct {
		event int
		err   error
	}
	results := make(chan result, len(events))
	for i, data := range events {
		var b batch
		if err := s.collect(&b, s.table(), data, true); err != nil {
			results <- result{i, err}
			continue
		}
		s.commit(&b, func(err error) { results <- result{i, err} })
	}
	errs := make([]error, len(events))
	for i := range errs {
		errs[i] = context.Canceled // until it is settled
	}
	for range events {
		select {
		case r := <-results:
			errs[r.event] = r.err
		case <-ctx.Done():
			return errs
		}
	}
	return errs
}
