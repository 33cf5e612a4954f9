package limit

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Bytes bounds what each peer makes the relay hold, over all its connections.
// The zero value is not usable. Safe for concurrent use.
type Bytes struct {
	share int64

	mu    sync.Mutex
	peers map[string]*semaphore.Weighted
}

// NewBytes makes a bound of share bytes for each peer, of which there are few:
// they are remembered.
func NewBytes(share int64) *Bytes {
	return &Bytes{share: share, peers: map[string]*semaphore.Weighted{}}
}

// A Share is what one peer may hold. Safe for concurrent use.
type Share struct {
	max int64
	sem *semaphore.Weighted
}

// Of returns the share of a peer.
func (b *Bytes) Of(peer string) Share {
	b.mu.Lock()
	defer b.mu.Unlock()
	sem, ok := b.peers[peer]
	if !ok {
		sem = semaphore.NewWeighted(b.share)
		b.peers[peer] = sem
	}
	return Share{b.share, sem}
}

// Take waits until the peer may hold n bytes more, or ctx ends. What is more
// than the whole share counts as the whole.
func (s Share) Take(ctx context.Context, n int64) error { return s.sem.Acquire(ctx, min(n, s.max)) }

// Give returns what was taken by one Take.
func (s Share) Give(n int64) { s.sem.Release(min(n, s.max)) }

// Shrink gives back a part of what was taken by one Take of n bytes, so that
// rest stay, which are not more.
func (s Share) Shrink(n, rest int64) { s.sem.Release(min(n, s.max) - min(rest, s.max)) }
