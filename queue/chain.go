package queue

import (
	"cmp"
	"context"
	"slices"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// maxFollowers is how many entries of an ordered lane may wait in memory
// behind an earlier one of their call. Beyond it they are parked in RETRY, so
// that stuck calls never use up the lane's places.
const maxFollowers = 512

// chain is the order of one call: one entry has the turn, in flight, ready or
// parked, and the later ones follow.
type chain struct {
	turns     int        // entries that have the turn; more than one only after the lane became ordered
	held      bool       // that of the first follower is held back until it is parked
	followers []follower // ascending
}

// order keeps the order of each call in a lane. Its fields are guarded by the
// lane's mutex.
type order struct {
	l         *Lane
	chains    map[string]*chain // by call; nil: the lane is not ordered
	following int               // entries in memory that wait in chains
	spilling  bool              // some of them are being parked,
	spilled   map[*Entry]bool   // these
	restored  uint64            // see awaitsEarlier
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
	if ordered == (l.order.chains != nil) {
		return
	}
	if ordered {
		l.order.form() // and once more when all is loaded
		return
	}
	l.order.drop()
}

// drop lets go what waits for its turn.
func (o *order) drop() {
	for _, c := range o.chains {
		for _, f := range c.followers {
			o.unfollow(f)
			o.promote(f)
		}
	}
	o.chains = nil
}

// form puts what is known of each call in order.
func (o *order) form() {
	o.chains = map[string]*chain{}
	for e := range o.l.out {
		if e.Call != "" {
			o.of(e.Call).turns++
		}
	}
	ready, items := o.l.ready, o.l.retrying.lot.items
	o.l.ready, o.l.retrying.lot.items = nil, nil
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
			o.promote(f)
		} else if c := o.of(call); c.turns > 0 {
			o.follow(c, f)
		} else {
			c.turns++
			o.promote(f)
		}
	}
}

func (f follower) call() string {
	if f.entry != nil {
		return f.entry.Call
	}
	return f.item.call
}

func (o *order) of(call string) *chain {
	c := o.chains[call]
	if c == nil {
		c = &chain{}
		o.chains[call] = c
	}
	return c
}

// queueUp reports whether a fresh entry has the turn; else it follows.
func (o *order) queueUp(e *Entry) bool {
	if e.Call == "" {
		return true
	}
	c := o.chains[e.Call]
	if c == nil {
		o.chains[e.Call] = &chain{turns: 1}
		return true
	}
	if o.overtake(c, e) {
		return true
	}
	o.follow(c, follower{entry: e})
	return false
}

// awaitsEarlier reports whether an ordered lane has to look at more of EVENTS
// before any parked entry goes: since a restart it has only seen what is parked,
// and those before it of the same call may lie there still.
func (o *order) awaitsEarlier() bool {
	return o.chains != nil && o.restored > 0 && (o.l.pull.feed.waiting > 0 || len(o.l.fresh) > 0)
}

// overtake gives e the turn of its call in the place of a later entry, which was
// parked before a restart and has had it in the meantime.
func (o *order) overtake(c *chain, e *Entry) bool {
	if e.Seq > o.restored {
		return false
	}
	later := o.l.retrying.lot.remove(1, func(p *parked) bool { return p.call == e.Call && p.origin > e.Seq })
	if len(later) == 0 {
		return false
	}
	c.add(follower{item: later[0]})
	return true
}

// follow queues f behind the head of its call, and parks the followers when
// they are many.
func (o *order) follow(c *chain, f follower) {
	c.add(f)
	if f.entry == nil {
		return
	}
	o.following++
	if o.following > maxFollowers && !o.spilling {
		o.spilling = true
		o.l.q.store.Background(o.spill)
	}
}

func (o *order) unfollow(f follower) {
	if f.entry != nil {
		o.following--
	}
}

// crowded reports whether the followers must be parked before more are taken.
func (o *order) crowded() bool { return o.spilling && o.following >= 2*maxFollowers }

// spill parks the followers that wait in memory, in the order of their
// sequences. When they cannot be parked it leaves the lane crowded for a while,
// else a full queue would end up in memory.
func (o *order) spill(ctx context.Context) {
	waiting := o.beginSpill()
	items, err := o.l.q.parking.park(waiting, behind)
	o.endSpill(waiting, items)
	if err != nil {
		engine.Pause(ctx, retryRead)
	}
	o.l.mu.Lock()
	o.spilling = false
	o.l.mu.Unlock()
	o.l.poke()
}

// beginSpill returns the followers that wait in memory, and holds them back.
func (o *order) beginSpill() []*Entry {
	o.l.mu.Lock()
	defer o.l.mu.Unlock()
	var waiting []*Entry
	for _, c := range o.chains {
		for _, f := range c.followers {
			if f.entry != nil {
				waiting = append(waiting, f.entry)
			}
		}
	}
	o.spilled = record.SetOf(waiting)
	slices.SortFunc(waiting, bySeq)
	return waiting
}

// endSpill takes up the followers as they are now, parked or not, and lets those
// go that got their turn meanwhile.
func (o *order) endSpill(waiting []*Entry, items []*parked) {
	o.l.mu.Lock()
	defer o.l.mu.Unlock()
	if items != nil {
		o.replaceFollowers(waiting, items)
	}
	o.spilled = nil
	for call, c := range o.chains {
		if c.held {
			c.held = false
			o.advance(call)
		}
	}
	o.l.poke()
}

// behind is how what follows waits in RETRY: only for its turn.
func behind(e *Entry) Parking { return Parking{Attempts: e.Attempts, Due: time.UnixMilli(0)} }

// replaceFollowers puts parked entries in the places of those in memory. One
// that is no follower any more stays where it is, and its copy goes.
func (o *order) replaceFollowers(entries []*Entry, items []*parked) {
	for i, e := range entries {
		c := o.chains[e.Call]
		at := -1
		if c != nil {
			at = slices.IndexFunc(c.followers, func(f follower) bool { return f.entry == e })
		}
		if at < 0 {
			o.l.q.retries.release(items[i].seq)
			o.l.q.retries.finish(items[i])
			continue
		}
		c.followers[at] = follower{item: items[i]}
		o.following--
		o.l.leave(e)
		o.l.q.retries.release(items[i].seq)
		o.l.settle(e)
	}
}

// advance gives the turn of a call to its next follower. One that is being parked
// waits for that: delivered meanwhile, it would come again after a crash, for
// nothing tells its copy in RETRY from what is owed.
func (o *order) advance(call string) {
	c := o.chains[call]
	if c == nil {
		return
	}
	c.turns--
	if c.turns > 0 {
		return
	}
	if len(c.followers) == 0 {
		delete(o.chains, call)
		return
	}
	next := c.followers[0]
	c.turns++
	if c.held = o.spilled[next.entry]; c.held {
		return
	}
	c.followers = slices.Delete(c.followers, 0, 1)
	o.unfollow(next)
	o.promote(next)
	o.l.poke()
}

// promote lets a follower go when it is due.
func (o *order) promote(f follower) {
	if f.entry == nil {
		o.l.retrying.lot.push(f.item)
		return
	}
	o.l.makeReady(f.entry)
}
