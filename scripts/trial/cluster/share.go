package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

const (
	slowServices = 40
	slowEvents   = 100 // for each
	slowAnswer   = 400 * time.Millisecond
	nearlyTwice  = 1.6
)

// share shows that two relays deliver to slow endpoints nearly twice as fast as
// one, which waits for them most of the time.
func (p *proofs) share() {
	one := p.drain("share-one", 1)
	two := p.drain("share-two", 2)
	ratio := float64(one) / float64(two)
	fmt.Printf("%d deliveries to %d services that take %v each: one relay %v, two relays %v: %.2f times as fast\n",
		slowServices*slowEvents, slowServices, slowAnswer, one.Round(10*time.Millisecond), two.Round(10*time.Millisecond), ratio)
	if ratio < nearlyTwice {
		p.Fatalf("two relays are %.2f times as fast as one, want %.1f", ratio, nearlyTwice)
	}
}

// drain returns how long the relays of a new site take for a backlog.
func (p *proofs) drain(site string, relays int) time.Duration {
	receiver := trial.NewReceiver(p)
	receiver.Answer(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(slowAnswer):
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusOK)
	})
	var services strings.Builder
	for n := range slowServices {
		services.WriteString(service(n, receiver.URL, "active = true\nconcurrency = 2"))
	}
	toml := p.queueKeys(site) + services.String()
	var running []*trial.Relay
	for range relays {
		running = append(running, trial.Start(p, p.binary, toml))
	}
	began := time.Now()
	for n := range slowServices {
		running[0].Accept(slowLoad(n)...)
	}
	running[0].Until("the backlog is delivered", func() bool {
		_, distinct := receiver.Total()
		return distinct == slowServices*slowEvents
	})
	took := time.Since(began)
	if total, distinct := receiver.Total(); total != distinct {
		p.Fatalf("%d deliveries came twice", total-distinct)
	}
	for _, r := range running {
		r.Stop()
	}
	return took
}

func slowLoad(n int) []string {
	events := make([]string, slowEvents)
	for i := range events {
		events[i] = fmt.Sprintf(`{"event":"agent_termination","queue":"q%d","id":"s%d-%d","n":%d}`, n, n, i, i)
	}
	return events
}
