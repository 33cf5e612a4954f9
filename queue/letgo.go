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

// owes reports whether a record of EVENTS is not finished here.
func (l *Lane) owes(seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return seq > l.win.High || l.win.IsOpen(seq)
}

// letGo drops what the lane holds of records that are being erased, all but
// what is in flight: that is counted, and not stored again. It returns what is
// to be forgotten of RETRY once it is erased there, and whether some records
// are known of but were not sent yet.
func (l *Lane) letGo(g erasing) (inFlight int, items []*parked, unsent bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.poke()
	l.erasing, l.moved = g, true
	for e := range l.out {
		if (g.stored[e.Seq] || g.has(e)) && !e.erased.Swap(true) {
			inFlight++
		}
	}
	items = append(l.dropFollowers(g), l.dropReady(g)...)
	for _, item := range l.lot.remove(len(g.parked), func(p *parked) bool { return g.parked[p.seq] }) {
		items = append(items, item)
		l.advance(item.call)
	}
	l.fresh = slices.DeleteFunc(l.fresh, func(e *Entry) bool {
		if !g.has(e) {
			return false
		}
		if e.shadow {
			l.shadows--
		}
		l.win.Done(e.Seq) // it was taken up before a restart
		l.q.base.settle(l, e)
		return true
	})
	for seq := range g.stored {
		l.win.Lost(seq)
		unsent = unsent || seq > l.feed.arrived
	}
	return inFlight, items, unsent
}

// dropReady drops what was given back and waits to be handed out again.
func (l *Lane) dropReady(g erasing) (items []*parked) {
	var gone []*Entry
	l.ready = slices.DeleteFunc(l.ready, func(e *Entry) bool {
		if g.has(e) {
			gone = append(gone, e)
		}
		return g.has(e)
	})
	for _, e := range gone {
		l.leave(e)
		l.advance(e.Call)
		if e.item != nil {
			items = append(items, e.item)
		} else {
			l.q.base.settle(l, e)
		}
	}
	return items
}

// dropFollowers drops what waits for its turn.
func (l *Lane) dropFollowers(g erasing) (items []*parked) {
	for _, c := range l.chains {
		c.followers = slices.DeleteFunc(c.followers, func(f follower) bool {
			switch {
			case f.entry != nil && g.has(f.entry):
				l.unfollow(f)
				l.leave(f.entry)
				l.q.base.settle(l, f.entry)
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
