package web

import (
	"net/http"
	"sync"
	"time"
)

const (
	adminConnections = 256                    // on the admin listener, and on the admin socket
	sharedFor        = 250 * time.Millisecond // that a page without the token is shown again
	maxVisitors      = 64                     // streams of live pages at a time, with the token and without
	maxScrapes       = 2                      // metrics being written at a time
	answerTimeout    = 10 * time.Second       // for a client to take some of an answer
	drainTimeout     = 2 * time.Second        // for requests that run when the server stops
)

// shared is what every visitor without the token sees, rendered once for all of
// them. Safe for concurrent use.
type shared struct {
	render func() ([]byte, error)

	mu   sync.Mutex
	made time.Time
	text []byte
	err  error
}

func (s *shared) get() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.made) >= sharedFor {
		s.text, s.err = s.render()
		s.made = time.Now()
	}
	return s.text, s.err
}

// atOnce lets so many requests through at a time, and asks the others to come
// again.
func atOnce(most int, next http.Handler) http.Handler {
	places := make(chan struct{}, most)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("Retry-After", "5")
			http.Error(w, "too many at a time", http.StatusServiceUnavailable)
		}
	})
}

// hasty ends the connection of a request that is refused, and of a client that
// does not take its answer.
func hasty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(&hastyWriter{w}, r) })
}

type hastyWriter struct{ http.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (w *hastyWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *hastyWriter) Write(b []byte) (int, error) {
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(answerTimeout))
	return w.ResponseWriter.Write(b)
}

// Unwrap serves [http.ResponseController].
func (w *hastyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
