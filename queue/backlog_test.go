package queue

import (
	"errors"
	"testing"

	"callrelay/queue/record"

	"callrelay/queue/engine"
)

func TestALargeGroupIsTakenWhenNothingElseWaits(t *testing.T) {
	t.Parallel()
	c := newCommitter(record.Dead, func(error) {})
	c.setRefuse(nil)
	half := &group{recs: []record.Record{{Body: make([]byte, engine.MaxWaitingBytes/2)}}, done: func(error) {}}
	large := &group{recs: []record.Record{half.recs[0], half.recs[0]}, done: func(error) {}}
	for _, g := range []*group{half, large} {
		for i := range g.recs {
			g.bytes += record.SizeOf(&g.recs[i])
		}
	}
	if err := c.put(large); err != nil {
		t.Errorf("alone: %v", err)
	}
	if err := c.put(half); !errors.Is(err, record.ErrFull) {
		t.Errorf("behind it: got %v, want %v", err, record.ErrFull)
	}
}

func TestWhoSendsFastWaitsForRoom(t *testing.T) {
	t.Parallel()
	c := newCommitter(record.Events, func(error) {})
	c.setRefuse(nil)
	g := &group{recs: []record.Record{{Body: make([]byte, engine.MaxWaitingBytes)}}, done: func(error) {}}
	c.add(g)
	entered := make(chan struct{})
	go func() {
		c.room()
		close(entered)
	}()
	eventually(t, "somebody waits", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.freed != nil
	})
	select {
	case <-entered:
		t.Error("let in while the committer is full")
	default:
	}
	c.release([]*group{g})
	<-entered
	c.add(g)
	c.setRefuse(record.ErrUnavailable)
	c.room() // nothing to wait for
}
