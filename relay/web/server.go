package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/relay/limit"
)

// Options are what a [Server] needs. Relay, Registry and Log are required.
type Options struct {
	Listen   string // host:port
	Relay    Relay
	Registry *prometheus.Registry
	Metrics  func(b []byte) []byte // appends more in the text format; nil: there is no more
	Hosts    func() []string       // further Host names; read at each request
	Token    func() string         // of the page; read at each request, empty: none
	Proxies  func() []netip.Prefix // whose word counts for where a request came from; read at each request, nil: nobody's
	Log      *slog.Logger

	Descriptors *limit.Descriptors // notified when there are none left; nil: nobody is
}

// Server serves metrics, health and the status page on TCP.
type Server struct {
	o        Options
	mux      *http.ServeMux
	history  *history
	listener net.Listener
	door     *door
}

// New binds the listener without serving it yet.
func New(o Options) (*Server, error) {
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin listener: %w", err)
	}
	if o.Proxies == nil {
		o.Proxies = func() []netip.Prefix { return nil }
	}
	s := &Server{o: o, mux: http.NewServeMux(), history: &history{relay: o.Relay.Status, metrics: o.Registry}, door: newDoor(o.Token, o.Proxies)}
	s.listener = limit.Listen(l, limit.Options{Places: limit.Scale(adminConnections), Crowd: true, Descriptors: o.Descriptors})
	s.mux.Handle("GET /metrics", atOnce(maxScrapes, MetricsHandler(o.Registry, o.Metrics)))
	s.mux.HandleFunc("GET /healthz", s.health)
	s.mux.HandleFunc("GET /readyz", s.ready)
	p := &pages{relay: o.Relay, door: s.door, history: s.history, templates: parsePages()}
	p.routes(s.mux)
	return s, nil
}

// Handle adds a route, under the same rule for Host as all others. It must not
// be called once Run was.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// Addr is the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           hasty(guardHost(s.o.Hosts, s.door.slow(s.mux))),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    limit.HeadBytes,
		ConnContext:       limit.WithConn,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // which ends the streams
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	var sampling sync.WaitGroup
	defer sampling.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sampling.Go(func() { s.history.run(ctx) })
	return limit.Serve(ctx, server, s.listener, drainTimeout)
}

// Close unbinds the listener. It does nothing after Run.
func (s *Server) Close() error { return unbind(s.listener) }

// health answers 503 while the queue cannot do its work.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	st := s.o.Relay.Status()
	if r.URL.Query().Has("details") {
		writeDetails(w, st)
		return
	}
	if !st.Healthy {
		reportState(w, http.StatusServiceUnavailable, st.Problem)
		return
	}
	reportWell(w, st.Degraded)
}

// writeDetails answers as health does, with the verdict and how many troubles
// there are of each. What they are is for those who know the token.
func writeDetails(w http.ResponseWriter, st Status) {
	status := http.StatusOK
	if !st.Healthy {
		status = http.StatusServiceUnavailable
	}
	counts := map[string]int{}
	for _, t := range st.Troubles {
		counts[t.Verdict]++
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"state": st.State, "troubles": counts, "ready": st.Ready})
}

// ready answers 503 while events would be refused.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	st := s.o.Relay.Status()
	switch {
	case !st.Healthy:
		reportState(w, http.StatusServiceUnavailable, st.Problem)
	case !st.Ready:
		reportState(w, http.StatusServiceUnavailable, "intake takes no events")
	default:
		reportWell(w, st.Degraded)
	}
}

// reportWell answers 200, and why it is not all well.
func reportWell(w http.ResponseWriter, degraded string) {
	if degraded == "" {
		reportState(w, http.StatusOK, "ok")
		return
	}
	reportState(w, http.StatusOK, "degraded: "+degraded)
}

func reportState(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}
