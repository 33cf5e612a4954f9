package peers

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// A peer is a program for node. Its first line of output says where it listens,
// each further one what has reached it.
type peer[T any] struct {
	Listening map[string]string // by what it says, e.g. the version of SOAP

	mu       sync.Mutex
	arrivals []T
}

// startNode runs a program of this folder until the test ends.
func startNode[T any](t *testing.T, program string, args ...string) *peer[T] {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{program}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	p := &peer[T]{}
	if !lines.Scan() {
		t.Fatalf("%s: it says nothing", program)
	}
	if err := json.Unmarshal(lines.Bytes(), &p.Listening); err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines.Scan() {
			p.arrived(t, lines.Bytes())
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	})
	return p
}

func (p *peer[T]) arrived(t *testing.T, line []byte) {
	var a T
	if err := json.Unmarshal(line, &a); err != nil {
		t.Errorf("%v: %s", err, line)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrivals = append(p.arrivals, a)
}

// Arrivals returns what has reached the program.
func (p *peer[T]) Arrivals() []T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]T(nil), p.arrivals...)
}
