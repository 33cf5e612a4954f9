package main

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"callrelay/scripts/trial"
)

// measureRecordings measures what waiting for recordings costs others, and how fast recordings are served.
func measureRecordings(s *session, t *table) {
	measureWaiting(s, t)
	measureServing(s, t)
}

// waiting is how many deliveries wait for a recording that does not come.
const waiting = 2000

// measureWaiting compares a service without recordings alone with the same beside deliveries that wait for theirs.
// Each has a relay of its own; they take turns, and while one is measured the other is stopped.
func measureWaiting(s *session, t *table) {
	k := newSink(s)
	alone, beside := recorder(s, k), recorder(s, k)
	events := make([]string, waiting)
	for i := range events {
		events[i] = fmt.Sprintf(`{"event":"post_call","queue":"support","id":"w%d","recording":"w%d.wav"}`, i, i)
	}
	beside.Accept(events...)
	allWait := func() bool { return beside.Metric(`relay_pending{service="recorded"}`) == itoa(waiting) }
	beside.Until("the deliveries wait", allWait)
	const rounds = 9
	n := s.count(10_000)
	var ratios []float64
	for round := -1; round < rounds; round++ { // the first one warms
		ratio := s.turn(k, beside, alone, n, round) / s.turn(k, alone, beside, n, round)
		if round >= 0 {
			ratios = append(ratios, ratio)
		}
	}
	t.ratio("deliveries/s beside "+itoa(waiting)+" that wait for recordings", median(ratios), "the same alone; goal: 0.95")
	beside.Until("they still wait", allWait)
}

// turn returns how many deliveries a second one relay makes while the other is stopped. It was stopped itself, so some come before
// that are not counted: by then it has caught up with its timers.
func (s *session) turn(k *sink, r, other *trial.Relay, n, round int) float64 {
	s.check(syscall.Kill(other.Pid(), syscall.SIGSTOP))
	defer syscall.Kill(other.Pid(), syscall.SIGCONT) //nolint:errcheck // it is there still
	k.count.Store(0)
	pipeline(s, r, itoa(round)+"-first-", n/5)
	k.await(s, n/5, time.Now(), time.Minute)
	k.count.Store(0)
	start := time.Now()
	pipeline(s, r, itoa(round)+"-", n)
	return perSecond(n, k.await(s, n, start, time.Minute))
}

// recorder is a relay with a service that waits for recordings and one that has none.
func recorder(s *session, k *sink) *trial.Relay {
	at := trial.FreeAddress(s)
	return trial.Start(s, s.binary, recordings(at, "wait = \"1h\"")+
		strings.Replace(service("recorded", k.url, "headers = { X-Recording = \"#recording_url#\" }"), "agent_termination", "post_call", 1)+
		service("plain", k.url, ""))
}

// recordings is a [recordings] served at an address.
func recordings(at, more string) string {
	return fmt.Sprintf("[recordings]\ndir = \"recordings\"\nurl = \"http://%[1]s/recordings\"\nlisten = %[1]q\nkeys = [{ id = \"k1\", secret = %[2]q }]\n%[3]s\n",
		at, strings.Repeat("k", 32), more)
}
