package queue

import (
	"container/heap"
	"maps"
	"slices"
	"time"

	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

// parked is a delivery that lies in RETRY until it is due. Its body is read
// only then.
type parked struct {
	seq      uint64        // in RETRY
	origin   uint64        // the sequence it had in EVENTS
	due      time.Duration // since this process began
	accepted int64         // as it is stored, see [clock]
	size     int64
	key      uint64 // a hash of what the record is known by
	era      int    // of RETRY
	call     string
	held     bool   // waits because of the endpoint
	term     uint64 // of the keeper who knows it, see [base]
}

// parkingLot holds the parked deliveries of a lane by the time they come due.
// It is not safe for concurrent use.
type parkingLot struct {
	items []*parked         // a heap
	over  map[uint64]uint64 // by sequence in EVENTS: the key of what lay there and was parked before a crash
	past  map[uint64]bool   // of these, and of those before the process: what is delivered or dead
}

func (p *parkingLot) Len() int           { return len(p.items) }
func (p *parkingLot) Less(i, j int) bool { return p.items[i].before(p.items[j]) }
func (p *parkingLot) Swap(i, j int)      { p.items[i], p.items[j] = p.items[j], p.items[i] }

// Push and Pop are for package heap.
func (p *parkingLot) Push(x any) { p.items = append(p.items, x.(*parked)) }

func (p *parkingLot) Pop() any {
	last := len(p.items) - 1
	item := p.items[last]
	p.items[last] = nil
	p.items = p.items[:last]
	return item
}

func (p *parked) before(other *parked) bool {
	if p.due != other.due {
		return p.due < other.due
	}
	return p.origin < other.origin
}

func (p *parkingLot) push(item *parked) { heap.Push(p, item) }

// pop takes the item that is due first, if it is due.
func (p *parkingLot) pop(now time.Time) *parked {
	if len(p.items) == 0 || p.items[0].due > journal.SinceBegan(now) {
		return nil
	}
	return heap.Pop(p).(*parked)
}

// next is when the first item comes due.
func (p *parkingLot) next() (time.Time, bool) {
	if len(p.items) == 0 {
		return time.Time{}, false
	}
	return journal.Began.Add(p.items[0].due), true
}

// wake makes items due now: those that are held, or all.
func (p *parkingLot) wake(all bool, now time.Time) {
	for _, item := range p.items {
		if all || item.held {
			item.due = min(item.due, journal.SinceBegan(now))
		}
	}
	heap.Init(p)
}

// remove takes out up to max items that match.
func (p *parkingLot) remove(max int, match func(*parked) bool) []*parked {
	var removed []*parked
	kept := p.items[:0]
	for _, item := range p.items {
		if len(removed) < max && match(item) {
			removed = append(removed, item)
		} else {
			kept = append(kept, item)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	clear(p.items[len(kept):])
	p.items = kept
	heap.Init(p)
	return removed
}

// take takes up a record that was parked before a crash, which may have kept it
// from being released in EVENTS.
func (p *parkingLot) take(item *parked) {
	p.push(item)
	if p.over == nil {
		p.over = map[uint64]uint64{}
	}
	p.over[item.origin] = item.key
}

// clamp forgets what EVENTS, which ends there, does not have: the sequences are
// given anew.
func (p *parkingLot) clamp(last uint64) {
	maps.DeleteFunc(p.over, func(seq, _ uint64) bool { return seq > last })
	maps.DeleteFunc(p.past, func(seq uint64, _ bool) bool { return seq > last })
}

// tookOver reports whether this record of EVENTS was parked before a crash that
// kept it from being released there.
func (p *parkingLot) tookOver(e *Entry) bool {
	key, found := p.over[e.Seq]
	return found && key == record.Hash(&e.Record) || p.past[e.Seq]
}

// finished notes that a parked delivery is done with. What of it lies in EVENTS
// may get its turn after the next crash only.
func (p *parkingLot) finished(item *parked) {
	if p.over[item.origin] != item.key {
		return
	}
	if p.past == nil {
		p.past = map[uint64]bool{}
	}
	p.past[item.origin] = true
}

// pastBeyond returns what is past and has its place in EVENTS still before it,
// ascending. The rest is forgotten: an erasure may have taken it away.
func (p *parkingLot) pastBeyond(w *lane.Window) []uint64 {
	maps.DeleteFunc(p.past, func(seq uint64, _ bool) bool { return seq <= w.High && !w.IsOpen(seq) })
	return slices.Sorted(maps.Keys(p.past))
}

// released notes that what was taken over is released in EVENTS.
func (p *parkingLot) released(seq uint64) {
	delete(p.over, seq)
	delete(p.past, seq)
}
