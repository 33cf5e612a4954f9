// Command bench measures the relay beside the limits of the machine it runs on
// and prints a table of ratios, all from one run.
//
// Load, receiver and relay share the machine, as a sidecar does. A figure
// without its limit says little on a noisy machine: quote the ratios.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
)

// A section measures one thing and adds its rows to the table.
type section struct {
	name string
	run  func(*session, *table)
}

// sections in the order they run.
var sections = []section{
	{"disk", measureDisk},
	{"accept", measureAccept},
	{"deliver", measureDeliver},
	{"latency", measureLatency},
	{"order", measureOrder},
	{"isolation", measureIsolation},
	{"fanout", measureFanOut},
	{"drain", measureDrain},
	{"restart", measureRestart},
	{"operator", measureOperator},
	{"parked", measureParked},
	{"peer", measurePeer},
	{"recordings", measureRecordings},
	{"uploads", measureUploads},
	{"sources", measureSources},
}

func main() {
	only := flag.String("only", "", "sections to run, separated by commas (default: all)")
	scale := flag.Float64("scale", 1, "size of each measurement; 0.1 for a quick look")
	flag.Parse()
	if err := run(*only, *scale); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the sections. One that fails does not keep the others from the table.
func run(only string, scale float64) error {
	wanted := func(name string) bool { return only == "" || strings.Contains(","+only+",", ","+name+",") }
	s, err := newSession(scale)
	if err != nil {
		return err
	}
	defer s.close()
	t := &table{}
	var failed error
	for _, sec := range sections {
		if !wanted(sec.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s\n", sec.name)
		if err := s.measure(func() { sec.run(s, t) }); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", sec.name, err))
			t.figure(sec.name, "failed", "see below")
		}
	}
	return errors.Join(t.write(os.Stdout), failed)
}
