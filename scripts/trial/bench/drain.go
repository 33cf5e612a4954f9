package main

import (
	"net/http"
	"time"

	"callrelay/scripts/trial"
)

// measureDrain measures how fast a backlog is delivered when an endpoint comes back, the wait for the breaker's probe included.
func measureDrain(s *session, t *table) {
	k := newSink(s)
	client := plainClient(s, k)
	k.status.Store(http.StatusServiceUnavailable)
	r := trial.Start(s, s.binary, service("crm", k.url, "concurrency = 32\nbreaker = { open = \"1s\" }"))
	n := s.count(200_000)
	pipeline(s, r, "d", n)
	k.count.Store(0)
	start := time.Now()
	k.status.Store(http.StatusOK)
	took := k.await(s, n, start, 5*time.Minute)
	t.rate("drain of "+itoa(n)+" after the endpoint came back", perSecond(n, took), client, "plain client")
	t.figure("… in", ms(took), "breaker open = 1s")
}

// plainClient returns the requests a second that a plain net/http client makes over 32 connections, measured once.
func plainClient(s *session, k *sink) float64 {
	if s.limits.client == 0 {
		n := s.count(200_000)
		plain := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
		posts(s, plain, k.url, s.count(20_000), 200) // warm
		s.limits.client = perSecond(n, posts(s, plain, k.url, n, 200))
	}
	return s.limits.client
}
