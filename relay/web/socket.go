package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"callrelay/relay/limit"
	"callrelay/relay/unixsock"
)

const (
	maxTestEvent = 4 << 20 // bytes of an event given to test
	maxHistory   = 10_000  // records that one request for attempts may ask for
	letterBatch  = 256     // letters between two progress lines of a replay
)

// Socket serves the relay's own commands. It is safe for concurrent use.
type Socket struct {
	relay    Relay
	listener net.Listener
	log      *slog.Logger
}

// NewSocket binds the admin socket at path, mode 0600, without serving it yet.
// A stale socket is replaced; one that somebody listens on is an error.
func NewSocket(path string, relay Relay, log *slog.Logger) (*Socket, error) {
	l, err := unixsock.Listen(path)
	if err != nil {
		return nil, fmt.Errorf("admin socket %s: %w", path, err)
	}
	return &Socket{relay: relay, listener: limit.Listen(l, limit.Options{Places: limit.Scale(adminConnections), Peer: owner}), log: log}, nil
}

// Run serves until ctx ends; requests that still run are then cut off.
func (s *Socket) Run(ctx context.Context) error {
	server := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ConnContext:       limit.WithConn,
		BaseContext:       func(net.Listener) context.Context { return ctx }, // which ends the streams
		MaxHeaderBytes:    limit.HeadBytes,
	}
	return limit.Serve(ctx, server, s.listener, drainTimeout)
}

// Close unbinds the socket. It does nothing after Run.
func (s *Socket) Close() error { return unbind(s.listener) }

func unbind(l net.Listener) error {
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s *Socket) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("POST /v1/reload", s.reload)
	mux.HandleFunc("GET /v1/reload", s.plan)
	mux.HandleFunc("POST /v1/services/{service}/{change}", s.change)
	mux.HandleFunc("POST /v1/services/{service}/replay", filtered(s.resend))
	mux.HandleFunc("POST /v1/services/{service}/test", s.test)
	mux.HandleFunc("GET /v1/services/{service}/debug", s.transcripts)
	mux.HandleFunc("GET /v1/tail", s.tail)
	mux.HandleFunc("GET /v1/dead", filtered(s.letters))
	mux.HandleFunc("POST /v1/dead/{change}", filtered(s.move))
	mux.HandleFunc("POST /v1/erase", s.erase)
	mux.HandleFunc("GET /v1/backup", s.backup)
	mux.HandleFunc("GET /v1/doctor", s.doctor)
	return onlyOwner(mux)
}

func (s *Socket) status(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.relay.Status()) }

func (s *Socket) reload(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, s.relay.Reload(r.Context()))
}

func (s *Socket) plan(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.relay.Plan()) }

func (s *Socket) doctor(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, s.relay.Doctor(r.Context()))
}

func (s *Socket) change(w http.ResponseWriter, r *http.Request) {
	n, err := s.relay.Change(r.Context(), r.PathValue("service"), r.PathValue("change"), r.FormValue("why"))
	answer(w, progress{Count: n, Done: true}, err)
}

func (s *Socket) test(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTestEvent))
	if err != nil {
		writeError(w, err)
		return
	}
	exchange, err := s.relay.Test(r.Context(), r.PathValue("service"), event)
	answer(w, exchange, err)
}

func (s *Socket) transcripts(w http.ResponseWriter, r *http.Request) {
	most, err := strconv.Atoi(r.FormValue("max"))
	if err != nil || most < 1 || most > maxHistory {
		writeError(w, fmt.Errorf("%q is not a number from 1 to %d", r.FormValue("max"), maxHistory))
		return
	}
	attempts, err := s.relay.Attempts.Transcripts(r.Context(), r.PathValue("service"), most)
	answer(w, attempts, err)
}

func (s *Socket) tail(w http.ResponseWriter, r *http.Request) {
	lines := newLines(w)
	lines.flush() // the reader knows from the header that it is connected
	err := s.relay.Attempts.Follow(r.Context(), r.FormValue("service"), func(a Attempt) {
		lines.write(a)
		lines.flush()
	})
	if r.Context().Err() == nil {
		lines.end(err)
	}
}

// owner lets in root and the relay's own user. The mode of the socket already
// keeps others out; this also holds where the mode was changed.
func owner(c net.Conn) (name string, ok bool) {
	uid, err := unixsock.PeerUID(c)
	return strconv.FormatUint(uint64(uid), 10), err == nil && (uid == 0 || uid == uint32(os.Geteuid()))
}

// onlyOwner refuses others.
func onlyOwner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := limit.OfRequest(r); c == nil || c.Denied {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(failure{Failed: "only root and the relay's own user are answered here"})
			return
		}
		limit.OfRequest(r).Prove()
		next.ServeHTTP(w, r)
	})
}
