package main

import (
	"fmt"
	"slices"
	"time"

	"callrelay/scripts/trial"
)

const (
	costEvents   = 20_000
	costSamples  = 1000
	costInterval = 5 * time.Millisecond
)

// cost is what a relay does in a second, and how long an event takes.
type cost struct {
	accepted, delivered float64 // per second
	p50, p99            time.Duration
}

// costs puts a relay in the cluster beside one with an embedded queue, on the
// same machine and in the same run.
func (p *proofs) costs() {
	embedded := p.measure("[queue]\ndir = \"queue\"\nlisten = \"\"\n", "embedded")
	shared := p.measure(p.queueKeys("costs"), "cluster")
	fmt.Printf("%-38s %12s %12s %8s\n", "", "embedded", "cluster", "ratio")
	rate := func(what string, a, b float64) { fmt.Printf("%-38s %10.0f/s %10.0f/s %8.2f\n", what, a, b, b/a) }
	took := func(what string, a, b time.Duration) {
		fmt.Printf("%-38s %12v %12v %8.1f\n", what, a.Round(10*time.Microsecond), b.Round(10*time.Microsecond), float64(b)/float64(a))
	}
	rate("accepted, one pipelined connection", embedded.accepted, shared.accepted)
	rate("delivered, one service", embedded.delivered, shared.delivered)
	took("send to arrival at 200/s, p50", embedded.p50, shared.p50)
	took("send to arrival at 200/s, p99", embedded.p99, shared.p99)
}

// measure has a relay accept, then deliver, then do both with each event.
func (p *proofs) measure(queue, prefix string) cost {
	var c cost
	receiver := trial.NewReceiver(p)
	r := trial.Start(p, p.binary, queue+trial.Service("crm", receiver.URL, "concurrency = 32"))
	p.relays = []*trial.Relay{r}
	warm := r.Accept(trial.Numbered(prefix+"-warm", "agent_termination", 100)...)
	r.Until("the service is served", func() bool { return receiver.Missing(warm) == 0 })
	r.Run("pause", "crm")
	began := time.Now()
	r.Accept(trial.Numbered(prefix, "agent_termination", costEvents)...)
	c.accepted = costEvents / time.Since(began).Seconds()
	began = time.Now()
	r.Run("resume", "crm")
	r.Until("the backlog is delivered", func() bool { _, n := receiver.Total(); return n == costEvents+len(warm) })
	c.delivered = costEvents / time.Since(began).Seconds()
	c.p50, c.p99 = p.lags(r, receiver, prefix)
	r.Stop()
	return c
}

// lags sends one event at a time and returns how long they take to arrive.
func (p *proofs) lags(r *trial.Relay, receiver *trial.Receiver, prefix string) (p50, p99 time.Duration) {
	line, err := r.Dial()
	if err != nil {
		p.Fatalf("%v", err)
	}
	defer line.Close() //nolint:errcheck // all has arrived
	before, _ := receiver.Total()
	sent := map[string]time.Time{}
	tick := time.NewTicker(costInterval)
	defer tick.Stop()
	for i := range costSamples {
		<-tick.C
		id := fmt.Sprintf("%s-lag-%d", prefix, i)
		sent[id] = time.Now()
		if _, err := fmt.Fprintf(line, "{\"event\":\"agent_termination\",\"queue\":\"support\",\"id\":%q,\"n\":%d}\n", id, i); err != nil {
			p.Fatalf("%v", err)
		}
	}
	r.Until("all arrive", func() bool { n, _ := receiver.Total(); return n == before+costSamples })
	var lags []time.Duration
	for _, a := range receiver.Arrivals()[before:] {
		lags = append(lags, a.At.Sub(sent[a.Header.Get("Webhook-Id")]))
	}
	slices.Sort(lags)
	return lags[len(lags)/2], lags[len(lags)*99/100]
}
