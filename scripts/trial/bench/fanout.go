package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"callrelay/scripts/trial"
)

// measureFanOut compares the records written per second for one service with those for 100, and acceptance with one service to that
// with 1,000 of which one is bound to what is sent. All are paused, so that only acceptance is measured.
func measureFanOut(s *session, t *table) {
	records := s.count(200_000)
	one, oneCPU := s.acceptWith(1, records, func(int) string { return "" })
	hundred, hundredCPU := s.acceptWith(100, records/100, func(int) string { return "" })
	thousand, thousandCPU := s.acceptWith(1000, records, func(i int) string { return fmt.Sprintf("queue = \"q%d\"\n", i) })
	t.ratio("records written/s for 100 services bound to everything", hundred*100/one, "one service; goal: 0.8")
	t.ratio("… processor time of the relay for a record", hundredCPU/100/oneCPU, "one service")
	t.ratio("events accepted/s with 1,000 services of one binding each", thousand/one, "one service; goal: 0.9")
	t.ratio("… processor time of the relay for an event", thousandCPU/oneCPU, "one service")
}

// acceptWith returns the events accepted per second with n paused services, and the relay's seconds of processor time for each; scope
// narrows the binding of the i-th.
func (s *session) acceptWith(n, events int, scope func(i int) string) (rate, cpu float64) {
	var toml strings.Builder
	for i := range n {
		fmt.Fprintf(&toml, "[[service]]\nname = \"s%d\"\nactive = true\nurl = \"http://127.0.0.1:9/%d\"\njson = '{}'\n", i, i)
		fmt.Fprintf(&toml, "[[binding]]\nevent = \"agent_termination\"\n%sservice = \"s%d\"\n", strings.Replace(scope(i), "q0\"", "support\"", 1), i)
	}
	r := trial.Start(s, s.binary, toml.String())
	for i := range n {
		s.pause(r, fmt.Sprintf("s%d", i))
	}
	before := processorTime(s, r.Pid())
	rate = perSecond(events, pipeline(s, r, "f", events))
	return rate, (processorTime(s, r.Pid()) - before).Seconds() / float64(events)
}

// pause pauses a service as relay pause does.
func (s *session) pause(r *trial.Relay, name string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", r.Path("admin.sock"))
	}}}
	resp, err := client.Post("http://relay/v1/services/"+name+"/pause?why=bench", "", nil)
	s.check(err)
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		s.Fatalf("pause %s: %s", name, resp.Status)
	}
}
