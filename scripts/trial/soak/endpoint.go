package main

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"callrelay/scripts/trial"
)

// An answer is how the endpoint behaves.
type answer string

const (
	wellAnswer     answer = "is well"
	failingAnswer  answer = "fails"
	hangingAnswer  answer = "hangs"
	refusingAnswer answer = "refuses"
)

// An endpoint receives the deliveries and remembers the ids it accepted until they are taken.
type endpoint struct {
	url    string
	answer atomic.Value

	mu      sync.Mutex
	arrived []string
}

func newEndpoint(t trial.T) *endpoint {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("%v", err)
	}
	e := &endpoint{url: "http://" + l.Addr().String()}
	e.set(wellAnswer)
	server := &http.Server{Handler: e}
	go server.Serve(l) //nolint:errcheck // it ends when it is closed
	t.Cleanup(func() { _ = server.Close() })
	return e
}

func (e *endpoint) set(a answer) { e.answer.Store(a) }

// ServeHTTP answers as the endpoint is told to.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	switch e.answer.Load() {
	case failingAnswer:
		w.WriteHeader(http.StatusServiceUnavailable)
	case refusingAnswer:
		w.WriteHeader(http.StatusUnprocessableEntity)
	case hangingAnswer:
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
		w.WriteHeader(http.StatusGatewayTimeout)
	default:
		e.mu.Lock()
		defer e.mu.Unlock()
		e.arrived = append(e.arrived, r.Header.Get("Webhook-Id"))
	}
}

// take returns the ids that arrived since the last call.
func (e *endpoint) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	ids := e.arrived
	e.arrived = nil
	return ids
}
