package journal

import (
	"fmt"
	"sync"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	maxWaitingRecords = 100_000

	// roomPatience is how long an event may wait for commits under way before it
	// is refused. They take milliseconds, unless the disk hangs.
	roomPatience = 5 * time.Second
)

// backlog is what waits to be committed, and what is being committed just now.
// It is safe for concurrent use.
type backlog struct {
	mu      sync.Mutex
	waiting []*Group
	records int
	bytes   int64
	refuse  error         // set: nothing is taken, for this reason
	freed   chan struct{} // closed when there is room again; nil: nobody waits for that
	ended   bool          // nothing is committed any more
}

// SetRefuse makes the backlog refuse everything with err; nil: it takes
// again, unless it has ended, as when a restart of the server is overtaken by
// the end of the queue.
func (b *backlog) SetRefuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.refuse = err
	}
	b.letIn()
}

// Room returns when less than half of what may wait does, when nothing is taken
// anyway, or when it has lasted too long: so that who sends faster than the disk
// writes is slowed down and not refused.
func (b *backlog) Room() {
	var late <-chan time.Time
	for freed := b.crowded(); freed != nil; freed = b.crowded() {
		if late == nil {
			timer := time.NewTimer(roomPatience)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-freed:
		case <-late:
			return
		}
	}
}

// crowded returns a channel that is closed when there may be room; nil: there
// is.
func (b *backlog) crowded() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil || b.bytes <= engine.MaxWaitingBytes/2 && b.records <= maxWaitingRecords/2 {
		return nil
	}
	if b.freed == nil {
		b.freed = make(chan struct{})
	}
	return b.freed
}

// letIn has all look again who wait for room. The lock is held.
func (b *backlog) letIn() {
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// end has the backlog refuse everything from here on.
func (b *backlog) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse, b.ended = fmt.Errorf("%w: closed", record.ErrUnavailable), true
	b.letIn()
}

// Waits is how much waits to be committed, or is being committed.
func (b *backlog) Waits() (records int, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records, b.bytes
}

// put takes a group to wait in its turn.
func (b *backlog) put(g *Group) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return b.refuse
	}
	full := b.bytes+g.bytes > engine.MaxWaitingBytes || b.records+len(g.Recs) > maxWaitingRecords
	if full && b.records > 0 { // alone, a group of any size is taken: it will never be smaller
		return fmt.Errorf("%w: %d records wait to be written", record.ErrFull, b.records)
	}
	b.waiting = append(b.waiting, g)
	b.bytes += g.bytes
	b.records += len(g.Recs)
	return nil
}

// take hands over all that waits. It counts until it is released.
func (b *backlog) take() []*Group {
	b.mu.Lock()
	defer b.mu.Unlock()
	groups := b.waiting
	b.waiting = nil
	return groups
}

// release takes committed groups off the count of what waits.
func (b *backlog) release(groups []*Group) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range groups {
		b.bytes -= g.bytes
		b.records -= len(g.Recs)
	}
	b.letIn()
}
