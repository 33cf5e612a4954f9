package daemon

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// told is an operational event as the intake gets it.
type told struct {
	Event   string `json:"event"`
	Service string `json:"service"`
	Count   int    `json:"count"`
	after   time.Duration
}

// tell runs operational events while do raises events, and returns what the intake got.
func tell(t *testing.T, do func(a *opEvents)) []told {
	t.Helper()
	var list []told
	start := time.Now()
	a := newOpEvents(slog.New(slog.DiscardHandler), func(_ context.Context, event []byte) error {
		one := told{after: time.Since(start)}
		if err := json.Unmarshal(event, &one); err != nil {
			return err
		}
		list = append(list, one)
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.run(ctx) }()
	do(a)
	synctest.Wait()
	cancel()
	<-ended
	a.flush(t.Context())
	return list
}

// pass lets time go by on the clock of the bubble, and what is due then be done.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func deadLetter(service string) map[string]any {
	return map[string]any{"event": "relay_dead_letter", "service": service, "reason": "rejected"}
}

func TestAFloodOfDeadLettersIsOneEventAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100_000
		list := tell(t, func(a *opEvents) {
			for range n {
				a.raise(deadLetter("crm"))
				pass(time.Millisecond)
			}
			a.raise(deadLetter("billing"))
		})
		count := map[string]int{}
		for _, one := range list {
			count[one.Service] += one.Count
		}
		if count["crm"] != n || count["billing"] != 1 || len(list) != 4 {
			t.Errorf("got %d events for %v, want 3 for %d of crm, and 1", len(list), count, n)
		}
		if list[0].after != 0 || list[0].Count != 1 || list[1].after != time.Minute {
			t.Errorf("got %+v, want the first at once and the second after a minute", list)
		}
	})
}

func TestAFlappingBreakerIsToldAsItIsInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := tell(t, func(a *opEvents) {
			for range 50 {
				a.raise(map[string]any{"event": "relay_breaker_opened", "endpoint": "crm.example.com", "service": "crm"})
				a.raise(map[string]any{"event": "relay_breaker_closed", "endpoint": "crm.example.com", "service": "crm"})
				pass(time.Second)
			}
		})
		total := 0
		for _, one := range list {
			total += one.Count
		}
		if len(list) != opEventBurst+1 || total != 100 || list[len(list)-1].Event != "relay_breaker_closed" {
			t.Errorf("got %+v, want %d events that end with the closing", list, opEventBurst+1)
		}
	})
}
