package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A sink is the receiver of every measurement: it counts and answers 200.
type sink struct {
	url    string
	began  atomic.Int64 // requests that have begun
	count  atomic.Int64
	delay  time.Duration // before the answer
	status atomic.Int32  // of the answer; 0: 200
	spare  int64         // every so manyth is answered 200 all the same; 0: none

	mu   sync.Mutex
	lags []time.Duration // from the "sent" stamp of the body, when it has one
}

func newSink(s *session) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	k := &sink{url: "http://" + l.Addr().String()}
	server := &http.Server{Handler: k}
	go server.Serve(l) //nolint:errcheck // it ends when it is closed
	s.Cleanup(func() { _ = server.Close() })
	return k
}

// ServeHTTP counts the request.
func (k *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.began.Add(1)
	if r.URL.Path == "/lag" {
		k.lag(r.Body)
	} else {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	if k.delay > 0 {
		time.Sleep(k.delay)
	}
	n := k.count.Add(1)
	if status := k.status.Load(); status != 0 && (k.spare == 0 || n%k.spare != 0) {
		w.WriteHeader(int(status))
	}
}

func (k *sink) lag(body io.Reader) {
	var at struct{ Sent int64 }
	if json.NewDecoder(body).Decode(&at) != nil {
		return
	}
	lag := time.Since(time.Unix(0, at.Sent))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lags = append(k.lags, lag)
}

// await waits until n requests have come and returns how long that took since start.
func (k *sink) await(s *session, n int, start time.Time, most time.Duration) time.Duration {
	for deadline := start.Add(most); k.count.Load() < int64(n); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("%d of %d arrived in %s", k.count.Load(), n, most)
		}
	}
	return time.Since(start)
}
