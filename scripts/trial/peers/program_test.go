package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a program may take until it answers.
const patience = time.Minute

// A peer is a program. It says where it listens, in its first line of output where
// it chooses that itself, and in each further one what has reached it.
type peer[T any] struct {
	Listening map[string]string // by what it says, e.g. the version of SOAP

	mu       sync.Mutex
	arrivals []T
}

// startNode runs a program of this folder for node until the test ends.
func startNode[T any](t *testing.T, program string, args ...string) *peer[T] {
	t.Helper()
	p, lines := run[T](t, "node", append([]string{program}, args...)...)
	if !lines.Scan() {
		t.Fatalf("%s: it says nothing", program)
	}
	if err := json.Unmarshal(lines.Bytes(), &p.Listening); err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	go p.read(lines)
	return p
}

// startAt runs a program that listens where it is told, until the test ends. Of
// its output the lines count that are JSON.
func startAt[T any](t *testing.T, address, program string, args ...string) *peer[T] {
	t.Helper()
	p, lines := run[T](t, program, args...)
	p.Listening = map[string]string{"url": "http://" + address}
	go p.read(lines)
	awaitListener(t, address)
	return p
}

// awaitListener waits until somebody listens at an address.
func awaitListener(t *testing.T, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("nobody listens at %s", address)
		}
	}
}

// run starts a program in a process group of its own, which ends with the test.
func run[T any](t *testing.T, program string, args ...string) (*peer[T], *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, errors.String())
		}
	})
	return &peer[T]{}, bufio.NewScanner(out)
}

func (p *peer[T]) read(lines *bufio.Scanner) {
	for lines.Scan() {
		var a T
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			continue // what it says to whoever looks on
		}
		p.mu.Lock()
		p.arrivals = append(p.arrivals, a)
		p.mu.Unlock()
	}
}

// Arrivals returns what has reached the program.
func (p *peer[T]) Arrivals() []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]T(nil), p.arrivals...)
}
