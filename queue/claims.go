package queue

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"callrelay/queue/record"
)

// claims remember for the window of duplicates what the ids that producers give
// stand for: so an id that comes with something else is refused, and not taken
// for a copy. Safe for concurrent use.
type claims struct {
	mu  sync.Mutex
	ids *recent
}

func newClaims(keep time.Duration) *claims { return &claims{ids: newRecent(keep)} }

// stake notes a claim, the id and what it stands for joined by =. It is fresh
// when nothing was known of the id, and taken when that stands for something
// else.
func (c *claims) stake(claim string, at time.Time) (h hash128, fresh, taken bool) {
	end := strings.LastIndexByte(claim, '=')
	c.mu.Lock()
	defer c.mu.Unlock()
	h = c.ids.hash(claim[:max(end, 0)])
	s := seen{hash: h, at: sinceBegan(at).Milliseconds(), sum: c.ids.hash(claim[end+1:])[0]}
	if c.ids.addAt(s) {
		return h, true, false
	}
	place, _ := c.ids.find(h)
	return h, false, c.ids.entry(c.ids.table[place]-1).sum != s.sum
}

// release takes claims back.
func (c *claims) release(ids []hash128) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range ids {
		c.ids.forget(h)
	}
}

func (c *claims) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = newRecent(c.ids.keep)
}

// admits reports whether the ids of a group stand for what they stood for
// before. A group that is sent on was admitted where it came in.
func (c *claims) admits(g *group, now time.Time) bool {
	if c == nil || g.keys != nil {
		return true
	}
	for i := range g.recs {
		r := &g.recs[i]
		if r.Claim == "" {
			continue
		}
		h, fresh, taken := c.stake(r.Claim, now)
		if fresh {
			g.staked = append(g.staked, h)
		}
		if taken {
			g.err = conflict(r)
			return false
		}
	}
	return true
}

func conflict(r *record.Record) error {
	return fmt.Errorf("%w: %s", record.ErrConflict, r.Claim[:max(strings.LastIndexByte(r.Claim, '='), 0)])
}
