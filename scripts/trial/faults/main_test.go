package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// binary is the relay under test, built once.
var binary string

func TestMain(m *testing.M) {
	if socket := os.Getenv(watchVariable); socket != "" {
		fmt.Fprintln(os.Stderr, becomeWatched(socket)) // returns only when it could not
		os.Exit(1)
	}
	os.Exit(trial.RunTests(m, &binary))
}

// size is short in a plain go test and long with FAULTS=long.
func size(short, long int) int {
	if os.Getenv("FAULTS") == "long" {
		return long
	}
	return short
}

// A ledger holds every acknowledged id until it is seen to arrive. Safe for concurrent use.
type ledger struct {
	mu    sync.Mutex
	acked []string
}

// load sends events over n connections until stop is closed or the relay is gone.
func (l *ledger) load(r *trial.Relay, prefix string, n int, stop <-chan struct{}) *sync.WaitGroup {
	var senders sync.WaitGroup
	for s := range n {
		senders.Go(func() { l.send(r, fmt.Sprintf("%s-%d", prefix, s), stop) })
	}
	return &senders
}

func (l *ledger) send(r *trial.Relay, prefix string, stop <-chan struct{}) {
	c, err := r.Dial()
	if err != nil {
		return // the relay is gone
	}
	defer c.Close() //nolint:errcheck // what was answered is in the ledger
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		replies, err := c.Send(trial.Numbered(fmt.Sprintf("%s-%d", prefix, i), "agent_termination", 20)...)
		l.add(replies)
		if err != nil {
			return
		}
	}
}

func (l *ledger) add(replies []trial.Reply) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range replies {
		if a.Accepted {
			l.acked = append(l.acked, a.ID)
		}
	}
}

func (l *ledger) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.acked...)
}

// settle waits until all that was acknowledged has arrived, and says what is missing when it does not.
func (l *ledger) settle(t *testing.T, at *trial.Receiver, patience time.Duration) {
	t.Helper()
	ids := l.ids()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		missing := at.Missing(ids)
		if missing == 0 {
			total, distinct := at.Total()
			t.Logf("%d acknowledged, %d arrived, %d of them again, 0 lost", len(ids), distinct, total-distinct)
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d of %d acknowledged events never arrived", missing, len(ids))
		}
	}
}

// letters returns the ids of the dead letters, by service; nil while the queue is
// started anew.
func letters(t *testing.T, r *trial.Relay, filter ...string) map[string]map[string]bool {
	t.Helper()
	out, status := r.Run(append([]string{"dead", "list", "--json"}, filter...)...)
	switch {
	case strings.Contains(out, "queue is not available"):
		return nil
	case status != 0:
		t.Fatalf("relay dead list: %s", out)
	}
	ids := map[string]map[string]bool{}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var l struct{ Service, ID string }
		if err := d.Decode(&l); err != nil {
			t.Fatalf("%v: %s", err, out[:min(len(out), 1000)])
		}
		if ids[l.Service] == nil {
			ids[l.Service] = map[string]bool{}
		}
		ids[l.Service][l.ID] = true
	}
	return ids
}
