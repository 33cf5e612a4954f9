package queue

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// maxFollowers is how many entries of an ordered lane may wait in memory
// behind an earlier one of their call. Beyond it they are parked in RETRY, so
// that stuck calls never use up the lane's places.
const maxFollowers = 512

// chain is the order of one call: one entry has the turn, in flight, ready or
// parked, and the later ones follow.
type chain struct {
	turns     int        // entries that have the turn; more than one only after the lane became ordered
	followers []follower // ascending
}

// follower is an entry that waits for its turn, in memory or parked.
type follower struct {
	entry *Entry
	item  *parked
}

func (f follower) seq() uint64 {
	if f.entry != nil {
		return f.entry.Seq
	}
	return f.item.origin
}

func (c *chain) add(f follower) {
	at, _ := slices.BinarySearchFunc(c.followers, f.seq(), func(f follower, seq uint64) int { return cmp.Compare(f.seq(), seq) })
	c.followers = slices.Insert(c.followers, at, f)
}

// SetOrdered makes the lane keep the order of each call, or stop keeping it:
// when ordered, Next never hands out an entry while an earlier one of its Call
// is unfinished. Entries in flight at that moment stay in flight.
func (l *Lane) SetOrdered(ordered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.poke()
	if ordered == (l.chains != nil) {
		return
	}
	if ordered {
		l.formChains() // and once more when all is loaded
		return
	}
	l.dropChains()
}

// dropChains lets go what waits for its turn.
func (l *Lane) dropChains() {
	for _, c := range l.chains {
		for _, f := range c.followers {
			l.unfollow(f)
			l.promote(f)
		}
	}
	l.chains = nil
}

// formChains puts what is known of each call in order.
func (l *Lane) formChains() {
	l.chains = map[string]*chain{}
	for e := range l.out {
		if e.Call != "" {
			l.chainOf(e.Call).turns++
		}
	}
	ready, items := l.ready, l.lot.items
	l.ready, l.lot.items = nil, nil
	var all []follower
	for _, e := range ready {
		all = append(all, follower{entry: e})
	}
	for _, item := range items {
		all = append(all, follower{item: item})
	}
	slices.SortFunc(all, func(a, b follower) int { return cmp.Compare(a.seq(), b.seq()) })
	for _, f := range all {
		call := f.call()
		if call == "" {
			l.promote(f)
		} else if c := l.chainOf(call); c.turns > 0 {
			l.follow(c, f)
		} else {
			c.turns++
			l.promote(f)
		}
	}
}

func (f follower) call() string {
	if f.entry != nil {
		return f.entry.Call
	}
	return f.item.call
}

func (l *Lane) chainOf(call string) *chain {
	c := l.chains[call]
	if c == nil {
		c = &chain{}
		l.chains[call] = c
	}
	return c
}

// queueUp reports whether a fresh entry has the turn; else it follows.
func (l *Lane) queueUp(e *Entry) bool {
	if e.Call == "" {
		return true
	}
	c := l.chains[e.Call]
	if c == nil {
		l.chains[e.Call] = &chain{turns: 1}
		return true
	}
	if l.overtake(c, e) {
		return true
	}
	l.follow(c, follower{entry: e})
	return false
}

// awaitsEarlier reports whether an ordered lane has to look at more of EVENTS
// before any parked entry goes: since a restart it has only seen what is parked,
// and those before it of the same call may lie there still.
func (l *Lane) awaitsEarlier() bool {
	return l.chains != nil && l.restored > 0 && (l.feed.waiting > 0 || len(l.fresh) > 0)
}

// overtake gives e the turn of its call in the place of a later entry, which was
// parked before a restart and has had it in the meantime.
func (l *Lane) overtake(c *chain, e *Entry) bool {
	if e.Seq > l.restored {
		return false
	}
	later := l.lot.remove(1, func(p *parked) bool { return p.call == e.Call && p.origin > e.Seq })
	if len(later) == 0 {
		return false
	}
	c.add(follower{item: later[0]})
	return true
}

// follow queues f behind the head of its call, and parks the followers when
// they are many.
func (l *Lane) follow(c *chain, f follower) {
	c.add(f)
	if f.entry == nil {
		return
	}
	l.following++
	if l.following > maxFollowers && !l.spilling {
		l.spilling = true
		l.q.background(l.spill)
	}
}

func (l *Lane) unfollow(f follower) {
	if f.entry != nil {
		l.following--
	}
}

// crowded reports whether the followers must be parked before more are taken.
func (l *Lane) crowded() bool { return l.spilling && l.following >= 2*maxFollowers }

// spill parks the followers that wait in memory, in the order of their
// sequences. When they cannot be parked it leaves the lane crowded for a while,
// else a full queue would end up in memory.
func (l *Lane) spill(ctx context.Context) {
	l.mu.Lock()
	var waiting []*Entry
	for _, c := range l.chains {
		for _, f := range c.followers {
			if f.entry != nil {
				waiting = append(waiting, f.entry)
			}
		}
	}
	l.mu.Unlock()
	slices.SortFunc(waiting, bySeq)
	items, err := l.q.parkAll(waiting)
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(retryRead):
		}
	}
	l.mu.Lock()
	if err == nil {
		l.replaceFollowers(waiting, items)
	}
	l.spilling = false
	l.mu.Unlock()
	l.poke()
}

// replaceFollowers puts parked entries in the places of those in memory. One
// that got its turn meanwhile stays where it is, and its copy goes.
func (l *Lane) replaceFollowers(entries []*Entry, items []*parked) {
	for i, e := range entries {
		c := l.chains[e.Call]
		at := -1
		if c != nil {
			at = slices.IndexFunc(c.followers, func(f follower) bool { return f.entry == e })
		}
		if at < 0 {
			l.q.retries.release(items[i].seq)
			l.q.forgetParked(items[i])
			continue
		}
		c.followers[at] = follower{item: items[i]}
		l.following--
		l.leave(e)
		l.q.retries.release(items[i].seq)
		l.settle(e)
	}
}

// advance gives the turn of a call to its next follower.
func (l *Lane) advance(call string) {
	c := l.chains[call]
	if c == nil {
		return
	}
	c.turns--
	if c.turns > 0 {
		return
	}
	if len(c.followers) == 0 {
		delete(l.chains, call)
		return
	}
	next := c.followers[0]
	c.followers = slices.Delete(c.followers, 0, 1)
	c.turns++
	l.unfollow(next)
	l.promote(next)
	l.poke()
}

// promote lets a follower go when it is due.
func (l *Lane) promote(f follower) {
	if f.entry == nil {
		l.lot.push(f.item)
		return
	}
	l.makeReady(f.entry)
}
