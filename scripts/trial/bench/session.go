package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"callrelay/scripts/trial"
)

// A session is the trial that the sections run in: it owns the binary and what each section started.
type session struct {
	binary  string
	dir     string
	scale   float64
	cleanup []func()
	limits  limits
}

// limits are what the machine itself reaches, measured once.
type limits struct {
	synced float64 // records/s appended with one fdatasync for each 1,000
	client float64 // requests/s of a plain net/http client
}

func newSession(scale float64) (*session, error) {
	dir, err := os.MkdirTemp("", "relay-bench")
	if err != nil {
		return nil, err
	}
	s := &session{dir: dir, scale: scale}
	s.binary, err = trial.Build(dir)
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *session) close() { _ = os.RemoveAll(s.dir) }

// failed carries a Fatalf out of a section.
type failed struct{ error }

// measure runs one section, turns its Fatalf into an error, and cleans up behind it.
func (s *session) measure(section func()) (err error) {
	defer func() {
		for len(s.cleanup) > 0 {
			last := s.cleanup[len(s.cleanup)-1]
			s.cleanup = s.cleanup[:len(s.cleanup)-1]
			last()
		}
		if r := recover(); r != nil {
			f, ok := r.(failed)
			if !ok {
				panic(r)
			}
			err = f.error
		}
	}()
	section()
	return nil
}

// count scales a number of events.
func (s *session) count(n int) int { return max(1000, int(float64(n)*s.scale)) }

// Helper is for [trial.T].
func (s *session) Helper() {}

// Fatalf ends the section.
func (s *session) Fatalf(format string, args ...any) { panic(failed{fmt.Errorf(format, args...)}) }

// Cleanup runs f when the section ends, the last one first.
func (s *session) Cleanup(f func()) { s.cleanup = append(s.cleanup, f) }

// Context returns the context of the whole program.
func (s *session) Context() context.Context { return context.Background() }

// check ends the section on an error.
func (s *session) check(err error) {
	if err != nil {
		s.Fatalf("%w", err)
	}
}

// processorTime returns what a process has used. Unlike a rate it hardly depends on what else the machine does.
func processorTime(s *session, pid int) time.Duration {
	const tick = 10 * time.Millisecond // of the kernel, as it tells processes
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	s.check(err)
	_, rest, _ := strings.Cut(string(stat), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	s.check(errors.Join(err1, err2))
	return time.Duration(user+system) * tick
}

// memory returns VmRSS and VmHWM (its peak) of a process in bytes.
func memory(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = kib << 10
		case "VmHWM:":
			peak = kib << 10
		}
	}
	if now == 0 {
		return 0, 0, errors.New("no VmRSS in /proc")
	}
	return now, peak, nil
}
