package main

import (
	"net/http"
	"time"

	"callrelay/scripts/trial"
)

// measureRestart kills a relay that holds a million undelivered events and measures how long until it accepts again, and the drain.
func measureRestart(s *session, t *table) {
	k := newSink(s)
	n := s.count(1_000_000)
	r := paused(s, k.url)
	pipeline(s, r, "r", n)
	r.Kill()
	start := time.Now()
	r.Launch()
	acceptOne(s, r)
	t.figure("kill -9 with "+itoa(n)+" undelivered: accepting again after", ms(time.Since(start)), "goal: at most 5 s")
	if out, code := r.Run("resume", "crm"); code != 0 {
		s.Fatalf("relay resume: %s", out)
	}
	start = time.Now()
	t.rate("… drained at", perSecond(n+1, k.await(s, n+1, start, 10*time.Minute)), s.limits.client, "plain client")
}

// measureParked does the same while nearly as many wait for a later attempt.
func measureParked(s *session, t *table) {
	k := newSink(s)
	k.status.Store(http.StatusInternalServerError)
	k.spare = 10 // or the breaker would open
	n := s.count(1_000_000)
	r := trial.Start(s, s.binary, service("crm", k.url, "concurrency = 32\nretry_schedule = [\"8h\"]\nbreaker = { failures = 10000, ratio = 1.0 }"))
	pipeline(s, r, "k", n)
	k.await(s, n, time.Now(), 10*time.Minute)
	r.Kill()
	start := time.Now()
	r.Launch()
	acceptOne(s, r)
	t.figure("kill -9 with "+itoa(n*9/10)+" parked for a later attempt: accepting again after", ms(time.Since(start)), "goal: at most 5 s")
}

// acceptOne sends one event until it is acknowledged.
func acceptOne(s *session, r *trial.Relay) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		l, err := r.Dial()
		if err != nil {
			continue
		}
		replies, err := l.Send(string(event(nil, "again", 0)))
		_ = l.Close()
		if err == nil && replies[0].Accepted {
			return
		}
	}
	s.Fatalf("it never accepted again:\n%s", r.Log())
}
