package journal

import (
	"errors"
	"runtime"
	"testing"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

func TestALargeGroupIsTakenWhenNothingElseWaits(t *testing.T) {
	t.Parallel()
	c := NewCommitter(record.Dead, func(error) {})
	c.SetRefuse(nil)
	half := &Group{Recs: []record.Record{{Body: make([]byte, engine.MaxWaitingBytes/2)}}, Done: func(error) {}}
	large := &Group{Recs: []record.Record{half.Recs[0], half.Recs[0]}, Done: func(error) {}}
	for _, g := range []*Group{half, large} {
		for i := range g.Recs {
			g.bytes += record.SizeOf(&g.Recs[i])
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
	c := NewCommitter(record.Events, func(error) {})
	c.SetRefuse(nil)
	g := &Group{Recs: []record.Record{{Body: make([]byte, engine.MaxWaitingBytes)}}, Done: func(error) {}}
	c.Add(g)
	entered := make(chan struct{})
	go func() {
		c.Room()
		close(entered)
	}()
	for waits := false; !waits; runtime.Gosched() {
		c.mu.Lock()
		waits = c.freed != nil
		c.mu.Unlock()
	}
	select {
	case <-entered:
		t.Error("let in while the committer is full")
	default:
	}
	c.release([]*Group{g})
	<-entered
	c.Add(g)
	c.SetRefuse(record.ErrUnavailable)
	c.Room() // nothing to wait for
}
