package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"callrelay/scripts/trial"
)

// A book holds each acknowledged id until it has arrived or is a dead letter. Safe for concurrent use.
type book struct {
	at *endpoint

	mu        sync.Mutex
	owed      map[string]bool
	early     map[string]bool // arrived before their acknowledgement was read
	acked     int
	delivered int
	again     int
	dead      int
}

func newBook(at *endpoint) *book {
	return &book{at: at, owed: map[string]bool{}, early: map[string]bool{}}
}

// load sends events at a rate until stop is closed; the channel it returns is closed when it has ended.
func (b *book) load(r *trial.Relay, rate int, stop <-chan struct{}) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		const group = 10
		tick := time.NewTicker(time.Second * group / time.Duration(rate))
		defer tick.Stop()
		var line *trial.Line
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if line == nil {
				line, _ = r.Dial() // the relay may be restarting
			}
			if line == nil {
				continue
			}
			replies, err := line.Send(trial.Numbered(fmt.Sprintf("soak%d", i), "agent_termination", group)...)
			b.acknowledged(replies)
			if err != nil {
				_ = line.Close()
				line = nil
			}
		}
	}()
	return ended
}

func (b *book) acknowledged(replies []trial.Reply) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range replies {
		switch {
		case !a.Accepted:
		case b.early[a.ID]:
			b.acked++
			delete(b.early, a.ID)
		default:
			b.acked++
			b.owed[a.ID] = true
		}
	}
}

// settleDelivered strikes out what has arrived.
func (b *book) settleDelivered() {
	ids := b.at.take()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		b.delivered++
		if b.owed[id] {
			delete(b.owed, id)
		} else if !b.early[id] {
			b.again++
			b.early[id] = true
		}
	}
}

// settle waits until nothing is owed but dead letters, strikes those out, and says what is missing.
func (b *book) settle(r *trial.Relay, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for ; r.Metric(`relay_pending{service="crm"}`) != "0"; <-time.After(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s deliveries still wait after %s of calm", r.Metric(`relay_pending{service="crm"}`), patience)
		}
	}
	b.settleDelivered()
	out, code := r.Run("dead", "list", "--json", "--all")
	if code != 0 {
		return fmt.Errorf("relay dead list: %s", out)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(out) {
		var letter struct{ ID string }
		if json.Unmarshal([]byte(line), &letter) == nil && b.owed[letter.ID] {
			delete(b.owed, letter.ID)
			b.dead++
		}
	}
	if n := len(b.owed); n > 0 {
		return fmt.Errorf("%d acknowledged events neither arrived nor are dead letters", n)
	}
	return nil
}

// String counts the entries of the book.
func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d acknowledged, %d delivered (%d of them again or unacknowledged), %d dead letters, %d still owed", b.acked, b.delivered, b.again, b.dead, len(b.owed))
}
