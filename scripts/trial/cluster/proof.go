package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"callrelay/scripts/trial"
)

// proofs is the trial that the proofs run in.
type proofs struct {
	*cluster
	binary   string
	services int
	relays   []*trial.Relay // whose logs are shown when the proof fails
	cleanup  []func()
}

// failed carries a Fatalf out of a proof.
type failed struct{ error }

// Helper is for [trial.T].
func (p *proofs) Helper() {}

// Fatalf is for [trial.T].
func (p *proofs) Fatalf(format string, args ...any) { panic(failed{fmt.Errorf(format, args...)}) }

// Cleanup is for [trial.T].
func (p *proofs) Cleanup(f func()) { p.cleanup = append(p.cleanup, f) }

// Context is for [trial.T].
func (p *proofs) Context() context.Context { return context.Background() }

// prove runs the proofs that match one after another and joins what failed.
func prove(c *cluster, only *regexp.Regexp, services int) error {
	binary, err := trial.Build(c.dir)
	if err != nil {
		return err
	}
	p := &proofs{cluster: c, binary: binary, services: services}
	var all error
	for _, proof := range []struct {
		name string
		run  func()
	}{
		{"a second relay takes its share", p.share},
		{"what it costs", p.costs},
		{"nothing is lost", p.faults},
	} {
		if !only.MatchString(proof.name) {
			continue
		}
		fmt.Printf("== %s\n", proof.name)
		if err := p.attempt(proof.run); err != nil {
			fmt.Printf("FAILED: %v\n", err)
			all = errors.Join(all, fmt.Errorf("%s: %w", proof.name, err))
		}
	}
	return all
}

func (p *proofs) attempt(proof func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failed)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("%w\n%s", f.error, p.relayLogs())
		}
		for len(p.cleanup) > 0 {
			last := p.cleanup[len(p.cleanup)-1]
			p.cleanup = p.cleanup[:len(p.cleanup)-1]
			last()
		}
	}()
	proof()
	return nil
}

// relayLogs are the ends of what the relays of a proof said.
func (p *proofs) relayLogs() string {
	var b strings.Builder
	for i, r := range p.relays {
		text := r.Log()
		fmt.Fprintf(&b, "relay %d:\n%s\n", i+1, text[max(0, len(text)-2000):])
	}
	return b.String()
}

// queueKeys is the [queue] table of a relay in the cluster.
func (p *proofs) queueKeys(site string) string {
	return fmt.Sprintf(`[queue]
dir = "queue"
listen = ""
max_bytes = "1GiB"
dead_max_bytes = "256MiB"
servers = ["%s"]
credentials = "relay:%s"
tls = { ca = %q }
site = %q
`, strings.Join(p.urls(), `", "`), p.password, p.path("ca.pem"), site)
}

// service is a service with a queue of its own, so that each event is owed to
// one.
func service(n int, url, more string) string {
	return fmt.Sprintf("[[service]]\nname = \"s%[1]d\"\nurl = \"%[2]s/s%[1]d\"\njson = '{\"n\":\"#n#\",\"call\":\"#uii#\"}'\n%[3]s\n"+
		"[[binding]]\nevent = \"agent_termination\"\nqueue = \"q%[1]d\"\nservice = \"s%[1]d\"\n", n, url, more)
}
