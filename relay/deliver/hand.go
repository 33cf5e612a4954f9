package deliver

import (
	"cmp"
	"slices"
	"time"
)

// hand is what a runner holds of its lane: deliveries that are ready to be
// attempted, and those that wait in memory for a short retry or a recording.
// It is not safe for concurrent use; its runner's lock guards it.
type hand struct {
	ready   []*delivery // in the order of use
	waiting map[*delivery]*wait
	counts  [waits]int // of waiting, by kind
	bytes   [waits]int // of their events
}

// waitKind is what a delivery waits for in memory.
type waitKind int

const (
	waitRetry     waitKind = iota // its next attempt
	waitRecording                 // its recording to be complete
	waits
)

// wait is how a delivery waits in memory.
type wait struct {
	kind   waitKind
	due    time.Time
	held   bool // because of the endpoint: it ends when that is well again
	timer  *time.Timer
	cancel func() // of what it waits for; nil: nothing but time
}

func (w *wait) stop() {
	w.timer.Stop()
	if w.cancel != nil {
		w.cancel()
	}
}

func newHand() hand { return hand{waiting: map[*delivery]*wait{}} }

// add puts deliveries behind those that are ready.
func (h *hand) add(list ...*delivery) { h.ready = append(h.ready, list...) }

// putBack puts a delivery before those that are ready.
func (h *hand) putBack(d *delivery) { h.ready = slices.Insert(h.ready, 0, d) }

// next takes the first delivery that is ready; nil when none is.
func (h *hand) next() *delivery {
	if len(h.ready) == 0 {
		return nil
	}
	d := h.ready[0]
	h.ready[0], h.ready = nil, h.ready[1:]
	return d
}

// oldest takes the delivery that was owed first, whether it is ready or waits
// for the endpoint; nil when there is none.
func (h *hand) oldest() *delivery {
	var oldest *delivery
	for _, d := range h.ready {
		if oldest == nil || d.seq < oldest.seq {
			oldest = d
		}
	}
	for d, w := range h.waiting {
		if w.held && (oldest == nil || d.seq < oldest.seq) {
			oldest = d
		}
	}
	if oldest == nil {
		return nil
	}
	if h.end(oldest) {
		return oldest
	}
	i := slices.Index(h.ready, oldest)
	h.ready = slices.Delete(h.ready, i, i+1)
	return oldest
}

func (h *hand) wait(d *delivery, w *wait) {
	h.waiting[d] = w
	h.counts[w.kind]++
	h.bytes[w.kind] += len(d.record.Body)
}

// full reports whether no more may wait in memory.
func (h *hand) full(kind waitKind) bool {
	if kind == waitRecording {
		return h.counts[kind] >= maxRecordings || h.bytes[kind] >= maxRecordingBytes
	}
	return h.counts[kind] >= maxWaiting
}

// end takes a delivery out of those that wait, if it is among them.
func (h *hand) end(d *delivery) bool {
	w, ok := h.waiting[d]
	if !ok {
		return false
	}
	w.stop()
	delete(h.waiting, d)
	h.counts[w.kind]--
	h.bytes[w.kind] -= len(d.record.Body)
	return true
}

// wake makes those ready that wait because of the endpoint.
func (h *hand) wake() {
	var woken []*delivery
	for d, w := range h.waiting {
		if w.held {
			woken = append(woken, d)
		}
	}
	slices.SortFunc(woken, func(a, b *delivery) int { return cmp.Compare(a.seq, b.seq) })
	for _, d := range woken {
		h.end(d)
	}
	h.ready = append(woken, h.ready...)
}

// before takes out all that were accepted before a moment.
func (h *hand) before(moment time.Time) []*delivery {
	old := func(d *delivery) bool { return d.accepted.Before(moment) }
	var list []*delivery
	for _, d := range h.ready {
		if old(d) {
			list = append(list, d)
		}
	}
	h.ready = slices.DeleteFunc(h.ready, old)
	for d := range h.waiting {
		if old(d) {
			h.end(d)
			list = append(list, d)
		}
	}
	return list
}

// empty takes out all.
func (h *hand) empty() (ready []*delivery, waiting map[*delivery]*wait) {
	ready, waiting = h.ready, h.waiting
	for _, w := range waiting {
		w.stop()
	}
	*h = newHand()
	return ready, waiting
}

// due is the earliest moment at which a retry in hand comes due; zero: none waits.
func (h *hand) due() time.Time {
	var earliest time.Time
	for _, w := range h.waiting {
		if w.kind == waitRetry && (earliest.IsZero() || w.due.Before(earliest)) {
			earliest = w.due
		}
	}
	return earliest
}
