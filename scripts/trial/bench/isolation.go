package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

// measureIsolation compares ten healthy services alone with the same ten beside one that hangs and one that refuses connections.
func measureIsolation(s *session, t *table) {
	n := s.count(4000)
	alone := s.tenServices(n, "", nil)
	hanging := hang(s)
	beside := s.tenServices(n, service("hangs", hanging, "")+service("refuses", "http://"+trial.FreeAddress(s), ""), nil)
	t.ratio("ten services beside one that hangs and one that refuses", beside/alone, "the same ten alone; goal: 0.95")
}

// tenServices returns the deliveries per second of ten services that are all bound to n events. Before may have the relay do more.
func (s *session) tenServices(n int, more string, before func(*trial.Relay)) float64 {
	k := newSink(s)
	var toml strings.Builder
	for i := range 10 {
		toml.WriteString(service(fmt.Sprintf("s%d", i), fmt.Sprintf("%s/%d", k.url, i), ""))
	}
	r := trial.Start(s, s.binary, toml.String()+more)
	if before != nil {
		before(r)
	}
	start := time.Now()
	pipeline(s, r, "i", n)
	return perSecond(10*n, k.await(s, 10*n, start, 5*time.Minute))
}

// hang returns the URL of an endpoint that takes connections and never answers.
func hang(s *session) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	s.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(io.Discard, c) //nolint:errcheck // it never answers
		}
	}()
	return "http://" + l.Addr().String()
}
