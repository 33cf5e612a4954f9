package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	edges := flag.Int("edges", 100, "how many edges to link, 10 at least")
	flag.Parse()
	if *edges < 10 {
		flag.Usage()
		os.Exit(2)
	}
	began := time.Now()
	if err := prove(*edges); err != nil {
		fmt.Fprintln(os.Stderr, "FAILED:", err)
		os.Exit(1)
	}
	fmt.Printf("== all of it holds, %v\n", time.Since(began).Round(time.Second))
}

// failed carries a Fatalf out of the proofs.
type failed struct{ error }

// stage is the trial that the proofs run in.
type stage struct{ cleanup []func() }

// Helper is for [trial.T].
func (s *stage) Helper() {}

// Fatalf is for [trial.T].
func (s *stage) Fatalf(format string, args ...any) { panic(failed{fmt.Errorf(format, args...)}) }

// Cleanup is for [trial.T].
func (s *stage) Cleanup(f func()) { s.cleanup = append(s.cleanup, f) }

// Context is for [trial.T].
func (s *stage) Context() context.Context { return context.Background() }

// end undoes all, and returns what failed.
func (s *stage) end(r any) error {
	for len(s.cleanup) > 0 {
		last := s.cleanup[len(s.cleanup)-1]
		s.cleanup = s.cleanup[:len(s.cleanup)-1]
		last()
	}
	if r == nil {
		return nil
	}
	f, ok := r.(failed)
	if !ok {
		panic(r)
	}
	return f.error
}

func prove(edges int) (err error) {
	s := &stage{}
	defer func() { err = s.end(recover()) }()
	p := newProofs(s, edges)
	for _, proof := range []struct {
		name string
		run  func()
	}{
		{"the list is right", p.lists},
		{"the hub has what the edges have", p.copies},
		{"one is away, one rebuilt, one renamed", p.changes},
		{"an edge replays its dead letters for the hub", p.replays},
		{"the hub hangs and is killed under load, and the edge does not mind", p.cut},
	} {
		fmt.Printf("== %s\n", proof.name)
		proof.run()
	}
	return nil
}

// until waits for something to become true.
func (s *stage) until(what string, patience time.Duration, is func() bool) time.Duration {
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		if time.Since(began) > patience {
			s.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
	return time.Since(began)
}
