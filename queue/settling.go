package queue

import (
	"context"
	"sync"

	"callrelay/queue/engine"
)

// settling is the acknowledgements of an embedded queue that JetStream has not
// been told yet. One goroutine tells it, for publishing waits until the
// connection has been written out: those that finish deliveries stood in line
// there for longer than the deliveries took.
type settling struct {
	mu   sync.Mutex
	acks []string      // subjects
	wake chan struct{} // holds a token when there are some
}

func newSettling() *settling { return &settling{wake: make(chan struct{}, 1)} }

func (s *settling) add(ack string) {
	s.mu.Lock()
	s.acks = append(s.acks, ack)
	first := len(s.acks) == 1
	s.mu.Unlock()
	if first {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// run tells JetStream until ctx ends. Losing an acknowledgement is harmless: the
// lane's own window is what counts.
func (s *settling) run(ctx context.Context, running func() *engine.Engine) {
	var taken []string
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.mu.Lock()
		s.acks, taken = taken[:0], s.acks
		s.mu.Unlock()
		if eng := running(); eng != nil {
			for _, ack := range taken {
				_ = eng.NC.Publish(ack, nil)
			}
		}
		clear(taken)
	}
}
