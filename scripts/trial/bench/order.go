package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"callrelay/scripts/trial"
)

// A round is 60 calls of 10 segments each. In a bad one two calls of three are refused three attempts of seven, so that a third of all
// attempts fail; the others are never refused, and are what is measured, in a clean round too.
const (
	callsOfRound   = 60
	segmentsOfCall = 10
	roundEvents    = callsOfRound * segmentsOfCall
)

func refusable(call int) bool { return call%3 != 0 }

// measureOrder shows that ordered calls are never overtaken, and what failing calls cost the others.
func measureOrder(s *session, t *table) {
	k := newCallSink(s)
	r := trial.Start(s, s.binary, fmt.Sprintf("[[service]]\nname = \"crm\"\nurl = %q\norder = \"call\"\nconcurrency = 64\nretry_schedule = [\"100ms\", \"200ms\"]\n"+
		"json = '{\"Sent\":\"#sent|number#\",\"Call\":\"#nth_call|number#\",\"Segment\":\"#nth|number#\"}'\nbreaker = { failures = 10000, ratio = 1.0 }\n",
		k.url)+trial.Binding("crm"))
	l, err := r.Dial()
	s.check(err)
	defer l.Close() //nolint:errcheck // all was answered
	rounds := max(2, s.count(20_000)/1000)
	for n := range 2 * rounds {
		k.begin(n%2 == 1)
		s.sendRound(l, n)
		k.await(s)
	}
	clean, bad := p99(k.lags[false]), p99(k.lags[true])
	t.figure("inversions in "+itoa(rounds)+" times 60 ordered calls of 10 segments", itoa(k.inversions), "goal: 0")
	t.figure("… attempts that failed", fmt.Sprintf("%.2f", float64(k.refused)/float64(k.refused+rounds*roundEvents)), "aim: a third")
	t.figure("… p99 of calls without failures, clean run", ms(clean), "")
	t.ratio("… p99 of calls without failures, beside failing ones", float64(bad)/float64(clean), "the clean run; goal: at most 1.5")
}

// sendRound sends the segments of all calls in turns, one event a millisecond.
func (s *session) sendRound(l *trial.Line, round int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for segment := range segmentsOfCall {
		for call := range callsOfRound {
			<-tick.C
			replies, err := l.Send(fmt.Sprintf(`{"event":"agent_termination","queue":"support","id":"o%d-%d-%d","uii":"O%d-%d","segment":%d,"sent":%d,"nth_call":%d,"nth":%d%s`,
				round, call, segment, round, call, segment, time.Now().UnixNano(), call, segment, padding))
			s.check(err)
			if !replies[0].Accepted {
				s.Fatalf("round %d: %+v", round, replies[0])
			}
		}
	}
}

func p99(lags []time.Duration) time.Duration {
	slices.Sort(lags)
	return lags[len(lags)*99/100]
}

// A callSink refuses what it shall and keeps account of the order of each call.
type callSink struct {
	url string

	mu         sync.Mutex
	bad        bool
	attempts   int                      // of calls that may be refused
	accepted   [callsOfRound]int        // segments in this round
	lags       map[bool][]time.Duration // of calls that are never refused, in bad and in clean rounds
	inversions int
	refused    int
}

func newCallSink(s *session) *callSink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	k := &callSink{url: "http://" + l.Addr().String(), lags: map[bool][]time.Duration{}}
	server := &http.Server{Handler: k}
	go server.Serve(l) //nolint:errcheck // it ends when it is closed
	s.Cleanup(func() { _ = server.Close() })
	return k
}

// ServeHTTP answers one segment.
func (k *callSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var at struct {
		Sent          int64
		Call, Segment int
	}
	if json.NewDecoder(r.Body).Decode(&at) != nil || at.Call >= callsOfRound {
		return
	}
	lag := time.Since(time.Unix(0, at.Sent))
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.Segment != k.accepted[at.Call] {
		k.inversions++
	}
	if refusable(at.Call) {
		k.attempts++
		if k.bad && k.attempts%7 < 3 {
			k.refused++
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	} else {
		k.lags[k.bad] = append(k.lags[k.bad], lag)
	}
	k.accepted[at.Call]++
}

// begin starts a round.
func (k *callSink) begin(bad bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bad, k.accepted = bad, [callsOfRound]int{}
}

// await waits until all segments of the round are accepted.
func (k *callSink) await(s *session) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		k.mu.Lock()
		done := !slices.ContainsFunc(k.accepted[:], func(n int) bool { return n < segmentsOfCall })
		k.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("segments are missing: %v", k.accepted)
		}
	}
}
