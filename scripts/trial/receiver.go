package trial

import (
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// An Arrival is one request as the receiver saw it.
type Arrival struct {
	Method, Path, Body string
	Header             http.Header
	At                 time.Time
}

// A Receiver is an endpoint: it keeps what arrives and answers as it is told. Safe for concurrent use.
type Receiver struct {
	URL string // http://host:port

	mu       sync.Mutex
	answer   http.HandlerFunc // nil: 200
	accepted []Arrival        // answered with 2xx
	counts   map[string]int   // of accepted, by Webhook-Id
	refused  int              // answered otherwise
}

// NewReceiver starts a receiver on a free loopback port. It is closed when the trial ends.
func NewReceiver(t T) *Receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	r := &Receiver{URL: "http://" + l.Addr().String(), counts: map[string]int{}}
	server := &http.Server{Handler: r}
	go server.Serve(l) //nolint:errcheck // it ends when it is closed
	t.Cleanup(func() { _ = server.Close() })
	return r
}

// ServeHTTP keeps the request and answers it.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
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
	r.counts[q.Header.Get("Webhook-Id")]++
	r.accepted = append(r.accepted, Arrival{q.Method, q.URL.RequestURI(), string(body), q.Header, time.Now()})
}

// Answer makes the receiver answer in this way from now on.
func (r *Receiver) Answer(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

// AnswerStatus makes the receiver answer with this status from now on.
func (r *Receiver) AnswerStatus(code int) {
	r.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// Count returns how often a Webhook-Id was accepted.
func (r *Receiver) Count(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[id]
}

// Counts returns how often each Webhook-Id was accepted.
func (r *Receiver) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}

// Missing returns how many of the ids were never accepted.
func (r *Receiver) Missing(ids []string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, id := range ids {
		if r.counts[id] == 0 {
			n++
		}
	}
	return n
}

// Total returns how many requests were accepted, and how many different ids they had.
func (r *Receiver) Total() (total, distinct int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.accepted), len(r.counts)
}

// Arrivals returns what was accepted, in the order of its end.
func (r *Receiver) Arrivals() []Arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Arrival(nil), r.accepted...)
}

// Refused returns how many requests were not answered with 2xx.
func (r *Receiver) Refused() int {
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
