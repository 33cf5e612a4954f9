package main

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"callrelay/scripts/trial"
)

const (
	loadTime = 10 * time.Second // with the hub, and again without
	loadStep = 5 * time.Millisecond
)

// cut has a relay of its own work with the hub, and without it, and compares.
func (p *proofs) cut() {
	receiver := trial.NewReceiver(p)
	stored := p.hub.stored("HUB-EVENTS")
	keys := p.hubKeys("berlin")
	r := trial.Start(p, p.binary, "[queue]\ndir = \"queue\"\nlisten = \"\"\n"+keys+"domain = \"berlin\"\n"+trial.Service("crm", receiver.URL, ""))
	p.until("the hub copies from it", time.Minute, func() bool { return p.list()["berlin"].State == "linked" })
	with := p.load(r, "with")
	p.hub.signal(syscall.SIGSTOP)
	hung := p.load(r, "hung")
	p.hub.signal(syscall.SIGCONT)
	p.hub.kill()
	without := p.load(r, "without")
	ids := slices.Concat(with.ids, hung.ids, without.ids)
	p.until("all is delivered", 10*time.Second, func() bool { return receiver.Missing(ids) == 0 })
	if total, distinct := receiver.Total(); total != distinct || distinct != len(ids) {
		p.Fatalf("%d events, %d delivered, %d of them once", len(ids), total, distinct)
	}
	status, _ := r.Run("status")
	fmt.Printf("with the hub:         %v\nwhile the hub hangs:  %v\nafter it was killed:  %v\n", with, hung, without)
	fmt.Printf("all %d delivered, each once; the relay has %d MiB, and says:\n%s", len(ids), resident(p, r.Pid())>>10, head(status, 4))
	p.hub.start()
	took := p.until("the hub has caught up", 3*time.Minute, func() bool { return p.hub.stored("HUB-EVENTS") >= stored+len(ids) })
	fmt.Printf("the hub is back, and %v later it has all %d events\n", took.Round(time.Second), len(ids))
}

// run is what came of some load.
type run struct {
	ids     []string
	answers []time.Duration
}

// String says how fast it went.
func (r run) String() string {
	slices.Sort(r.answers)
	at := func(part int) time.Duration { return r.answers[len(r.answers)*part/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d events accepted, answered within %v (half), %v (99 %%)", len(r.ids), at(50), at(99))
}

// load sends an event at a time, as a call server would.
func (p *proofs) load(r *trial.Relay, prefix string) run {
	line, err := r.Dial()
	if err != nil {
		p.Fatalf("%v", err)
	}
	defer line.Close() //nolint:errcheck // all was answered
	var done run
	tick := time.NewTicker(loadStep)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < loadTime; <-tick.C {
		sent := time.Now()
		replies, err := line.Send(fmt.Sprintf(`{"event":"agent_termination","queue":"support","id":"%s-%d"}`, prefix, len(done.ids)))
		if err != nil || !replies[0].Accepted {
			p.Fatalf("not accepted: %v %+v", err, replies)
		}
		done.answers = append(done.answers, time.Since(sent))
		done.ids = append(done.ids, replies[0].IDs...)
	}
	return done
}
