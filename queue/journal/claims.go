package journal

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"callrelay/queue/record"
)

// Claims remember for the window of duplicates what the ids that producers give
// stand for: so an id that comes with something else is refused, and not taken
// for a copy. Safe for concurrent use.
type Claims struct {
	mu  sync.Mutex
	ids *recent[uint64] // with a hash of what each stands for
}

// NewClaims returns claims that are remembered for so long.
func NewClaims(keep time.Duration) *Claims { return &Claims{ids: newRecent[uint64](keep)} }

// Stake notes a claim, the id and what it stands for joined by =. It is fresh
// when nothing was known of the id, and taken when that stands for something
// else.
func (c *Claims) Stake(claim string, at time.Time) (h Hash128, fresh, taken bool) {
	end := strings.LastIndexByte(claim, '=')
	c.mu.Lock()
	defer c.mu.Unlock()
	h = c.ids.Hash(claim[:max(end, 0)])
	sum := c.ids.Hash(claim[end+1:])[0]
	had, known := c.ids.Add(h, at, sum)
	return h, !known, known && had != sum
}

// release takes claims back.
func (c *Claims) release(ids []Hash128) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range ids {
		c.ids.Forget(h)
	}
}

// Reset forgets all of them.
func (c *Claims) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids.parts = nil
}

// admits reports whether the ids of a group stand for what they stood for before.
// An id that nobody claimed stands for something else, too, where a record has
// it: one of a segment, or one that was made up. A group that is sent on was
// admitted where it came in.
func (c *Committer) admits(g *Group, now time.Time) bool {
	if c.Claims == nil || g.Keys != nil {
		return true
	}
	for i := range g.Recs {
		r := &g.Recs[i]
		if r.Claim == "" {
			continue
		}
		h, fresh, taken := c.Claims.Stake(r.Claim, now)
		if fresh {
			g.staked = append(g.staked, h)
		}
		own := len(g.staked) > 0 && g.staked[len(g.staked)-1] == h // and not a copy's
		if own && c.Recent != nil {
			taken = taken || c.Recent.Has(c.Recent.Hash(r.Key()), now)
		}
		if taken {
			g.Err = conflict(r)
			return false
		}
	}
	return true
}

func conflict(r *record.Record) error {
	return fmt.Errorf("%w: %s", record.ErrConflict, r.Claim[:max(strings.LastIndexByte(r.Claim, '='), 0)])
}
