package main

import (
	"fmt"
	"strconv"
	"time"

	"callrelay/scripts/trial"
)

func itoa(n int) string { return strconv.Itoa(n) }

// paused is a service that holds everything, so that only acceptance is measured.
func paused(s *session, url string) *trial.Relay {
	r := trial.Start(s, s.binary, service("crm", url, ""))
	if out, code := r.Run("pause", "crm"); code != 0 {
		s.Fatalf("relay pause: %s", out)
	}
	return r
}

// measureAccept measures acknowledged, fsynced events and the memory that takes.
func measureAccept(s *session, t *table) {
	r := paused(s, "http://127.0.0.1:9/")
	idle, _, err := memory(r.Pid())
	s.check(err)
	t.figure("memory, idle", mib(idle), "goal: at most 48 MiB")
	n := s.count(400_000)
	t.rate("acknowledged, one pipelined connection", perSecond(n, pipeline(s, r, "p", n)), s.limits.synced, "groups of 1,000; goal: 40,000/s")
	n = s.count(100_000)
	t.rate("acknowledged, single posts over 32 connections", perSecond(n, posts(s, r.Client(), "http://relay/v1/events", n, 202)), s.limits.synced, "groups of 1,000; goal: 10,000/s")
	_, peak, err := memory(r.Pid())
	s.check(err)
	t.figure("memory, peak while accepting", mib(peak), "goal: at most 160 MiB")
}

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
