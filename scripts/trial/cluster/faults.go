package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

const (
	faultServices   = 200
	orderedServices = 20 // of them, with order = "call"
	calm            = 5 * time.Second
	partitionTime   = 20 * time.Second
	settleTime      = 2 * time.Minute // until all that was accepted is delivered
)

// faults puts load on two relays, takes away a node, a relay, and the way to a
// node, and then looks for what was accepted.
func (p *proofs) faults() {
	receiver := trial.NewReceiver(p)
	receiver.AnswerStatus(http.StatusOK)
	var services strings.Builder
	for n := range faultServices {
		more := ""
		if n < orderedServices {
			more = "order = \"call\""
		}
		services.WriteString(service(n, receiver.URL, more))
	}
	toml := p.queueKeys("faults") + services.String()
	relays := []*trial.Relay{trial.Start(p, p.binary, toml), trial.Start(p, p.binary, toml)}
	p.relays = relays
	var loads []*load
	for i, r := range relays {
		loads = append(loads, startLoad(r, fmt.Sprint("r", i)))
	}
	tell := func(what string) {
		total, distinct := receiver.Total()
		fmt.Printf("%-42s accepted %6d, arrived %6d, repeated %d\n", what, loads[0].count()+loads[1].count(), distinct, total-distinct)
	}
	pass := func(d time.Duration) { <-time.After(d) }
	pass(calm)
	tell("calm")
	for i, n := range p.nodes {
		n.kill()
		pass(calm)
		if err := n.start(); err != nil {
			p.Fatalf("%v", err)
		}
		pass(2 * calm)
		tell(fmt.Sprintf("node %d killed and back", i+1))
	}
	relays[0].Kill()
	pass(2 * calm)
	relays[0].Start()
	pass(calm)
	tell("relay 1 killed and back")
	p.partition(1, true)
	pass(partitionTime)
	p.partition(1, false)
	pass(2 * calm)
	tell("node 2 apart for 20 s and back")
	var accepted []string
	for _, l := range loads {
		accepted = append(accepted, l.stop()...)
	}
	p.lookFor(receiver, accepted)
	tell("at the end")
	p.lookAtOrder(receiver)
}

// lookFor waits until all that was accepted has arrived.
func (p *proofs) lookFor(receiver *trial.Receiver, accepted []string) {
	deadline := time.Now().Add(settleTime)
	for receiver.Missing(accepted) > 0 {
		if time.Now().After(deadline) {
			p.Fatalf("%d of %d accepted events are lost", receiver.Missing(accepted), len(accepted))
		}
		<-time.After(100 * time.Millisecond)
	}
}

// lookAtOrder counts the deliveries of ordered services that arrived, for the
// first time, after a later one of their call.
func (p *proofs) lookAtOrder(receiver *trial.Receiver) {
	last, seen, inversions, calls := map[string]int{}, map[string]bool{}, 0, 0
	for _, a := range receiver.Arrivals() {
		id := a.Header.Get("Webhook-Id")
		var body struct{ N, Call string }
		if !ordered(a.Path) || seen[id] || decode(a.Body, &body) != nil {
			continue
		}
		seen[id] = true
		n := number(body.N)
		before, known := last[body.Call]
		if !known {
			calls++
		}
		if known && n < before {
			inversions++
			fmt.Printf("%s: %d of call %s came after %d\n", a.Path, n, body.Call, before)
		}
		last[body.Call] = max(before, n)
	}
	fmt.Printf("%d deliveries of %d calls to ordered services, %d out of order\n", len(seen), calls, inversions)
	if inversions > 0 {
		p.Fatalf("%d deliveries were out of order", inversions)
	}
}
