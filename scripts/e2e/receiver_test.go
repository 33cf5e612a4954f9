package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// An arrival is one request as the receiver saw it.
type arrival struct {
	Method, Path, Body string
	Header             http.Header
}

// A receiver is an endpoint: it counts what arrives and answers as it is told.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	answer   http.HandlerFunc // nil: 200
	accepted []arrival        // answered with 2xx
	refused  int              // answered otherwise
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP records the request and answers it.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // the relay was killed while it sent: nothing arrived
	}
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
	if answer != nil {
		answer(rec, q)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec.status/100 != 2 {
		r.refused++
		return
	}
	r.accepted = append(r.accepted, arrival{q.Method, q.URL.RequestURI(), string(body), q.Header})
}

// answers makes the receiver answer in this way from now on.
func (r *receiver) answers(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

// status makes the receiver answer with this status from now on.
func (r *receiver) status(code int) {
	r.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// counts returns how often each Webhook-Id was accepted.
func (r *receiver) counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := make(map[string]int, len(r.accepted))
	for _, a := range r.accepted {
		n[a.Header.Get("Webhook-Id")]++
	}
	return n
}

// total returns how many requests were accepted, and distinct how many ids they had.
func (r *receiver) total() (total, distinct int) {
	for _, n := range r.counts() {
		total += n
		distinct++
	}
	return total, distinct
}

func (r *receiver) arrivals() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.accepted...)
}

func (r *receiver) refusals() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// A statusRecorder remembers the status that was written.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes code and passes it on.
func (s *statusRecorder) WriteHeader(code int) {
	s.status = code
	s.ResponseWriter.WriteHeader(code)
}
