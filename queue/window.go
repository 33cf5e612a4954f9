package queue

import (
	"cmp"
	"slices"
)

// window knows which sequences of a lane are finished. All up to its high
// mark are, but for those it lists as open: so it stays small however long one
// delivery is stuck while others pass. It is not safe for concurrent use.
type window struct {
	high  uint64 // the highest sequence taken up
	slots []slot // ascending; the first is open
	open  int    // slots that are not done
}

type slot struct {
	seq   uint64
	state slotState
}

type slotState uint8

const (
	slotOut  slotState = iota // handed out, or held for its turn
	slotDue                   // known from before a restart; not delivered by JetStream yet
	slotDone                  // finished; removed when nothing open is below it
)

// restore sets the state that was saved: all up to high is done but open.
func (w *window) restore(high uint64, open []uint64) {
	*w = window{high: high, open: len(open), slots: make([]slot, len(open))}
	for i, seq := range open {
		w.slots[i] = slot{seq, slotDue}
	}
}

// take notes that seq was delivered by JetStream and says whether it is to be
// handed out: not if it is finished, or out already. JetStream delivers in
// ascending order, so what it passed over is no longer stored.
func (w *window) take(seq uint64) bool {
	if seq > w.high {
		w.high = seq
		w.slots = append(w.slots, slot{seq, slotOut})
		w.open++
		return true
	}
	i, found := w.find(seq)
	if !found || w.slots[i].state != slotDue {
		return false
	}
	w.slots[i].state = slotOut
	return true
}

// isOpen reports whether seq was taken up and is not finished.
func (w *window) isOpen(seq uint64) bool {
	i, found := w.find(seq)
	return found && w.slots[i].state != slotDone
}

// lost finishes seq, which is no longer stored, unless it is handed out.
func (w *window) lost(seq uint64) {
	if !w.isOut(seq) {
		w.done(seq)
	}
}

// hold notes that seq was delivered, whatever came before, and says whether it
// is new to this window. In a cluster what another relay had comes late.
func (w *window) hold(seq uint64) bool {
	if seq > w.high {
		return w.take(seq)
	}
	i, found := w.find(seq)
	if found && w.slots[i].state != slotDone {
		return false
	}
	if !found {
		w.slots = slices.Insert(w.slots, i, slot{seq: seq})
	}
	w.slots[i].state = slotOut
	w.open++
	return true
}

// isOut reports whether seq is handed out now.
func (w *window) isOut(seq uint64) bool {
	i, found := w.find(seq)
	return found && w.slots[i].state == slotOut
}

// passed drops what was expected below seq but is no longer stored.
func (w *window) passed(seq uint64) {
	for i := range w.slots {
		if w.slots[i].seq >= seq {
			break
		}
		if w.slots[i].state == slotDue {
			w.slots[i].state = slotDone
			w.open--
		}
	}
	w.shrink()
}

// done finishes seq.
func (w *window) done(seq uint64) {
	i, found := w.find(seq)
	if !found || w.slots[i].state == slotDone {
		return
	}
	w.slots[i].state = slotDone
	w.open--
	w.shrink()
}

// floor is the sequence up to which everything is finished.
func (w *window) floor() uint64 {
	if len(w.slots) > 0 {
		return w.slots[0].seq - 1
	}
	return w.high
}

// unfinished appends the open sequences to seqs.
func (w *window) unfinished(seqs []uint64) []uint64 {
	for _, s := range w.slots {
		if s.state != slotDone {
			seqs = append(seqs, s.seq)
		}
	}
	return seqs
}

// clamp forgets everything above last, which the stream does not have.
func (w *window) clamp(last uint64) {
	if w.high <= last {
		return
	}
	w.high = last
	w.slots = slices.DeleteFunc(w.slots, func(s slot) bool { return s.seq > last })
	w.open = 0
	for _, s := range w.slots {
		if s.state != slotDone {
			w.open++
		}
	}
	w.shrink()
}

// shrink removes what is done at the front, and everywhere when that is most.
func (w *window) shrink() {
	if w.open == 0 {
		w.slots = w.slots[:0]
		return
	}
	front := 0
	for w.slots[front].state == slotDone {
		front++
	}
	w.slots = w.slots[front:]
	if len(w.slots) > 2*w.open+1024 {
		w.slots = slices.DeleteFunc(w.slots, func(s slot) bool { return s.state == slotDone })
	}
}

func (w *window) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(w.slots, seq, func(s slot, seq uint64) int { return cmp.Compare(s.seq, seq) })
}
