package lane

import (
	"cmp"
	"slices"
)

// Window knows which sequences of a lane are finished. All up to its high
// mark are, but for those it lists as open: so it stays small however long one
// delivery is stuck while others pass. It is not safe for concurrent use.
type Window struct {
	High  uint64 // the highest sequence taken up
	slots []slot // ascending; the first is open
	Open  int    // slots that are not done
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

// Restore sets the state that was saved: all up to high is done but open.
func (w *Window) Restore(high uint64, open []uint64) {
	*w = Window{High: high, Open: len(open), slots: make([]slot, len(open))}
	for i, seq := range open {
		w.slots[i] = slot{seq, slotDue}
	}
}

// Take notes that seq was delivered by JetStream and says whether it is to be
// handed out: not if it is finished, or out already. JetStream delivers in
// ascending order, so what it passed over is no longer stored.
func (w *Window) Take(seq uint64) bool {
	if seq > w.High {
		w.High = seq
		w.slots = append(w.slots, slot{seq, slotOut})
		w.Open++
		return true
	}
	i, found := w.find(seq)
	if !found || w.slots[i].state != slotDue {
		return false
	}
	w.slots[i].state = slotOut
	return true
}

// IsOpen reports whether seq was taken up and is not finished.
func (w *Window) IsOpen(seq uint64) bool {
	i, found := w.find(seq)
	return found && w.slots[i].state != slotDone
}

// Lost finishes seq, which is no longer stored, unless it is handed out.
func (w *Window) Lost(seq uint64) {
	if !w.IsOut(seq) {
		w.Done(seq)
	}
}

// Hold notes that seq was delivered, whatever came before, and says whether it
// is new to this window. In a cluster what another relay had comes late.
func (w *Window) Hold(seq uint64) bool {
	if seq > w.High {
		return w.Take(seq)
	}
	i, found := w.find(seq)
	if found && w.slots[i].state != slotDone {
		return false
	}
	if !found {
		w.slots = slices.Insert(w.slots, i, slot{seq: seq})
	}
	w.slots[i].state = slotOut
	w.Open++
	return true
}

// IsOut reports whether seq is handed out now.
func (w *Window) IsOut(seq uint64) bool {
	i, found := w.find(seq)
	return found && w.slots[i].state == slotOut
}

// Passed drops what was expected below seq but is no longer stored.
func (w *Window) Passed(seq uint64) {
	for i := range w.slots {
		if w.slots[i].seq >= seq {
			break
		}
		if w.slots[i].state == slotDue {
			w.slots[i].state = slotDone
			w.Open--
		}
	}
	w.shrink()
}

// Done finishes seq.
func (w *Window) Done(seq uint64) {
	i, found := w.find(seq)
	if !found || w.slots[i].state == slotDone {
		return
	}
	w.slots[i].state = slotDone
	w.Open--
	w.shrink()
}

// Floor is the sequence up to which everything is finished.
func (w *Window) Floor() uint64 {
	if len(w.slots) > 0 {
		return w.slots[0].seq - 1
	}
	return w.High
}

// Unfinished appends the open sequences to seqs.
func (w *Window) Unfinished(seqs []uint64) []uint64 {
	for _, s := range w.slots {
		if s.state != slotDone {
			seqs = append(seqs, s.seq)
		}
	}
	return seqs
}

// Clamp forgets everything above last, which the stream does not have.
func (w *Window) Clamp(last uint64) {
	if w.High <= last {
		return
	}
	w.High = last
	w.slots = slices.DeleteFunc(w.slots, func(s slot) bool { return s.seq > last })
	w.Open = 0
	for _, s := range w.slots {
		if s.state != slotDone {
			w.Open++
		}
	}
	w.shrink()
}

// shrink removes what is done at the front, and everywhere when that is most.
func (w *Window) shrink() {
	if w.Open == 0 {
		w.slots = w.slots[:0]
		return
	}
	front := 0
	for w.slots[front].state == slotDone {
		front++
	}
	w.slots = w.slots[front:]
	if len(w.slots) > 2*w.Open+1024 {
		w.slots = slices.DeleteFunc(w.slots, func(s slot) bool { return s.state == slotDone })
	}
}

func (w *Window) find(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(w.slots, seq, func(s slot, seq uint64) int { return cmp.Compare(s.seq, seq) })
}
