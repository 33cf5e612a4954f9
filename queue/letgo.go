package queue

import "slices"

// erasing are the records that an erasure removes just now. A lane hands none
// of them out any more.
type erasing struct {
	stored map[uint64]bool // in EVENTS
	parked map[uint64]bool // in RETRY
}

// has reports whether an entry is among them, by where it lies.
func (g erasing) has(e *Entry) bool {
	if e.item != nil {
		return g.parked[e.item.seq]
	}
	return g.stored[e.Seq]
}

// eraser has a lane let go of what is erased.
type eraser struct {
	l       *Lane
	erasing erasing // what an erasure removes just now
}

// owes reports whether a record of EVENTS is not finished here.
func (x *eraser) owes(seq uint64) bool {
	x.l.mu.Lock()
	defer x.l.mu.Unlock()
	return seq > x.l.win.High || x.l.win.IsOpen(seq)
}

// letGo drops what the lane holds of records that are being erased, all but
// what is in flight: that is counted, and not stored again. It returns what is
// to be forgotten of RETRY once it is erased there, and whether some records
// are known of but were not sent yet.
func (x *eraser) letGo(g erasing) (inFlight int, items []*parked, unsent bool) {
	x.l.mu.Lock()
	defer x.l.mu.Unlock()
	defer x.l.poke()
	x.erasing, x.l.moved = g, true
	for e := range x.l.out {
		if (g.stored[e.Seq] || g.has(e)) && !e.erased.Swap(true) {
			inFlight++
		}
	}
	items = append(x.l.order.letGo(g), x.dropReady(g)...)
	for _, item := range x.l.retrying.lot.remove(len(g.parked), func(p *parked) bool { return g.parked[p.seq] }) {
		items = append(items, item)
		x.l.order.advance(item.call)
	}
	x.l.fresh = slices.DeleteFunc(x.l.fresh, func(e *Entry) bool {
		if !g.has(e) {
			return false
		}
		if e.shadow {
			x.l.shadows--
		}
		x.l.win.Done(e.Seq) // it was taken up before a restart
		x.l.q.base.settle(x.l, e)
		return true
	})
	for seq := range g.stored {
		x.l.win.Lost(seq)
		unsent = unsent || seq > x.l.pull.feed.arrived
	}
	return inFlight, items, unsent
}

// dropReady drops what was given back and waits to be handed out again.
func (x *eraser) dropReady(g erasing) (items []*parked) {
	var gone []*Entry
	x.l.ready = slices.DeleteFunc(x.l.ready, func(e *Entry) bool {
		if g.has(e) {
			gone = append(gone, e)
		}
		return g.has(e)
	})
	for _, e := range gone {
		x.l.leave(e)
		x.l.order.advance(e.Call)
		if e.item != nil {
			items = append(items, e.item)
		} else {
			x.l.q.base.settle(x.l, e)
		}
	}
	return items
}

// letGo drops what waits for its turn.
func (o *order) letGo(g erasing) (items []*parked) {
	for _, c := range o.chains {
		c.followers = slices.DeleteFunc(c.followers, func(f follower) bool {
			switch {
			case f.entry != nil && g.has(f.entry):
				o.unfollow(f)
				o.l.leave(f.entry)
				o.l.q.base.settle(o.l, f.entry)
				return true
			case f.item != nil && g.parked[f.item.seq]:
				items = append(items, f.item)
				return true
			}
			return false
		})
	}
	return items
}
