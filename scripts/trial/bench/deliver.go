package main

import (
	"fmt"
	"slices"
	"time"

	"callrelay/scripts/trial"
)

// measureDeliver measures one service end to end, accepting meanwhile, beside a plain client at the same receiver.
func measureDeliver(s *session, t *table) {
	k := newSink(s)
	n := s.count(200_000)
	t.rate("plain net/http client, 32 connections", plainClient(s, k), 0, "the ceiling of delivery here")

	r := trial.Start(s, s.binary, service("crm", k.url, "concurrency = 32"))
	pipeline(s, r, "warm", 5000)
	time.Sleep(time.Second)
	k.count.Store(0)
	start := time.Now()
	accepted := pipeline(s, r, "e", n)
	took := k.await(s, n, start, 5*time.Minute)
	t.rate("end to end, one service, while accepting", perSecond(n, took), s.limits.client, "plain client; goal: 0.6")
	t.figure("… accepted meanwhile", fmt.Sprintf("%.0f/s", perSecond(n, accepted)), "")
	if _, peak, err := memory(r.Pid()); err == nil {
		t.figure("memory, peak at full load", mib(peak), "goal: at most 160 MiB")
	}
}

// measureLatency sends 500 events/s one by one and measures from the write to the arrival.
func measureLatency(s *session, t *table) {
	disk := s.appendLags(s.count(5000))
	k := newSink(s)
	r := trial.Start(s, s.binary, fmt.Sprintf("[[service]]\nname = \"crm\"\nurl = %q\njson = '{\"Sent\":\"#sent|number#\"}'\n", k.url+"/lag")+trial.Binding("crm"))
	l, err := r.Dial()
	s.check(err)
	defer l.Close() //nolint:errcheck // all was answered
	n := s.count(10_000)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			if _, err := l.Read(buf); err != nil {
				return
			}
		}
	}()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for i := range n {
		<-tick.C
		line := fmt.Appendf(nil, `{"event":"agent_termination","queue":"support","id":"l%d","sent":%d`, i, time.Now().UnixNano())
		_, err := l.Write(append(append(line, padding...), '\n'))
		s.check(err)
	}
	k.await(s, n, start, time.Minute+time.Duration(n)*2*time.Millisecond)
	k.mu.Lock()
	defer k.mu.Unlock()
	lags := slices.Sorted(slices.Values(k.lags[len(k.lags)/20:])) // without the first connections
	t.figure("append + fdatasync at 500/s, p50 / p99", ms(disk[len(disk)/2])+" / "+ms(disk[len(disk)*99/100]), "the disk itself")
	t.figure("send to arrival at 500/s, p50", ms(lags[len(lags)/2]), "goal: at most 1 ms")
	t.figure("send to arrival at 500/s, p99", ms(lags[len(lags)*99/100]), "goal: at most 3 ms")
	t.figure("send to arrival at 500/s, max", ms(lags[len(lags)-1]), "")
}
