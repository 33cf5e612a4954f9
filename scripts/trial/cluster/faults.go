package main

import (
	"fmt"
	"net/http"
	"slices"
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
	keeperAway      = 2 * time.Second
	faultAnswer     = 40 * time.Millisecond // of the endpoint, so that a relay always has something in hand
	crowd           = 2000                  // events that wait for one ordered service when the keeper is killed
	crowdService    = 1                     // which the load has nothing for
	longestStill    = 15 * time.Second
)

// faults puts load on two relays, takes away a node, a relay, the keeper with
// much in hand, and the way to a node, and then looks for what was accepted.
func (p *proofs) faults() {
	receiver := trial.NewReceiver(p)
	receiver.Answer(func(http.ResponseWriter, *http.Request) { <-time.After(faultAnswer) })
	var services strings.Builder
	for n := range p.services {
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
		loads = append(loads, startLoad(r, fmt.Sprint("r", i), p.services))
	}
	began := time.Now()
	tell := func(what string) {
		total, distinct := receiver.Total()
		fmt.Printf("%4.0f s: %-42s accepted %6d, arrived %6d, repeated %d\n", time.Since(began).Seconds(), what, loads[0].count()+loads[1].count(), distinct, total-distinct)
	}
	pass := func(d time.Duration) { <-time.After(d) }
	relays[0].Until("each relay's load arrives", func() bool { _, distinct := receiver.Total(); return distinct > 20*callsAtOnce })
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
	accepted := p.killKeeper()
	pass(2 * calm)
	tell("keeper killed and back")
	p.partition(1, true)
	pass(partitionTime)
	p.partition(1, false)
	pass(2 * calm)
	tell("node 2 apart for 20 s and back")
	for _, l := range loads {
		accepted = append(accepted, l.stop()...)
	}
	p.lookFor(receiver, accepted)
	tell("at the end")
	p.lookAtOrder(receiver)
	p.lookAtLanes(receiver, accepted, began)
}

// killKeeper kills the relay that keeps the site while much waits for a service
// that it alone serves, starts it again, and returns what waits.
func (p *proofs) killKeeper() []taken {
	var keeper *trial.Relay
	for _, r := range p.relays {
		text := r.Log()
		if strings.LastIndex(text, "this relay keeps the site") > strings.LastIndex(text, "another relay may keep the site") {
			keeper = r
		}
	}
	if keeper == nil {
		p.Fatalf("nobody keeps the site")
	}
	events := make([]string, crowd)
	for i := range events {
		events[i] = event(crowdService, fmt.Sprint("crowd-", i/callLength), i%callLength)
	}
	var waiting []taken
	for _, id := range keeper.Accept(events...) {
		waiting = append(waiting, taken{id, time.Now()})
	}
	keeper.Kill()
	<-time.After(keeperAway)
	keeper.Start()
	return waiting
}

// lookFor waits until all that was accepted has arrived.
func (p *proofs) lookFor(receiver *trial.Receiver, accepted []taken) {
	ids := make([]string, len(accepted))
	for i, a := range accepted {
		ids[i] = a.id
	}
	deadline := time.Now().Add(settleTime)
	for receiver.Missing(ids) > 0 {
		if time.Now().After(deadline) {
			p.Fatalf("%d of %d accepted events are lost", receiver.Missing(ids), len(ids))
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

// lookAtLanes finds the longest time in which a service was owed something and
// nothing came to it.
func (p *proofs) lookAtLanes(receiver *trial.Receiver, accepted []taken, began time.Time) {
	at := map[string]time.Time{}
	for _, a := range accepted {
		at[a.id] = a.at
	}
	type delivery struct{ accepted, arrived time.Time }
	lanes, seen := map[string][]delivery{}, map[string]bool{}
	for _, a := range receiver.Arrivals() { // in the order of their arrival
		id := a.Header.Get("Webhook-Id")
		if when, ok := at[id]; ok && !seen[id] {
			seen[id] = true
			lanes[a.Path] = append(lanes[a.Path], delivery{when, a.At})
		}
	}
	var longest time.Duration
	var where string
	var until time.Time
	for lane, deliveries := range lanes {
		// owed[i] is since when something is owed that comes with i or later.
		owed := make([]time.Time, len(deliveries))
		for i, d := range slices.Backward(deliveries) {
			owed[i] = d.accepted
			if i+1 < len(owed) && owed[i+1].Before(d.accepted) {
				owed[i] = owed[i+1]
			}
		}
		for i, d := range deliveries {
			since := owed[i]
			if i > 0 && deliveries[i-1].arrived.After(since) {
				since = deliveries[i-1].arrived
			}
			if still := d.arrived.Sub(since); still > longest {
				longest, where, until = still, lane, d.arrived
			}
		}
	}
	fmt.Printf("the longest that a service which was owed something stood still: %v (%s, until %.0f s)\n", longest.Round(10*time.Millisecond), where, until.Sub(began).Seconds())
	if longest > longestStill {
		p.Fatalf("%s stood still for %v", where, longest)
	}
}
