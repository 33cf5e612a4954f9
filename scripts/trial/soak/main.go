// Command soak runs a relay for a chosen time under load and random faults, and
// holds every acknowledged event in a book until it has arrived or is a dead
// letter.
//
// The faults: kill -9, a clean restart, reloads, an endpoint that fails, hangs
// or refuses payloads, an operator who pauses and resumes. At the end, when all
// is calm again, the book must be empty, and memory, goroutines and file
// descriptors must be where they were after the first calm minute.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"callrelay/scripts/trial"
)

func main() {
	length := flag.Duration("for", 5*time.Minute, "how long")
	rate := flag.Int("rate", 500, "events a second")
	flag.Parse()
	if err := run(*length, *rate); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(length time.Duration, rate int) (err error) {
	dir, err := os.MkdirTemp("", "relay-soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	binary, err := trial.Build(dir)
	if err != nil {
		return err
	}
	t := &soak{ctx: context.Background()}
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(failed)
			if !ok {
				panic(r)
			}
			err = f.error
		}
		t.close()
	}()
	return t.run(binary, length, rate)
}

// A soak is the trial of one run.
type soak struct {
	ctx        context.Context
	cleanup    []func()
	generation int // of the configuration
}

type failed struct{ error }

// Helper is for [trial.T].
func (t *soak) Helper() {}

// Fatalf ends the run.
func (t *soak) Fatalf(format string, args ...any) { panic(failed{fmt.Errorf(format, args...)}) }

// Cleanup runs f at the end, the last one first.
func (t *soak) Cleanup(f func()) { t.cleanup = append(t.cleanup, f) }

// Context returns the context of the program.
func (t *soak) Context() context.Context { return t.ctx }

func (t *soak) close() {
	for _, v := range slices.Backward(t.cleanup) {
		v()
	}
}

// run alternates calm and faults until the time is over, then settles the book.
func (t *soak) run(binary string, length time.Duration, rate int) error {
	at := newEndpoint(t)
	r := trial.Start(t, binary, configuration(at.url, 0))
	b := newBook(at)
	stop := make(chan struct{})
	loaded := b.load(r, rate, stop)
	<-time.After(min(time.Minute, length/4)) // warm
	before := measure(r)
	fmt.Println("after warming: ", before)
	for end := time.Now().Add(length); time.Now().Before(end); {
		if err := t.fault(r, at); err != nil {
			return err
		}
		b.settleDelivered()
		fmt.Printf("%s left; %s\n", time.Until(end).Round(time.Second), b)
	}
	at.set(wellAnswer)
	close(stop)
	<-loaded
	if err := b.settle(r, 2*time.Minute); err != nil {
		return err
	}
	after := measure(r)
	fmt.Println("at the end:    ", after)
	fmt.Println(b)
	if grown := after.grown(before); grown != "" {
		return errors.New(grown)
	}
	return nil
}
