package deliver

import (
	"cmp"
	"slices"
	"time"
)

// buffer is what a runner has fetched from its lane: deliveries that are ready to
// be attempted, and those that wait in memory for a short retry or a recording.
// It is not safe for concurrent use; its runner's lock guards it.
type buffer struct {
	ready   []*delivery // in the order of use
	waiting map[*delivery]*wait
	counts  [phases]int // of waiting
	bytes   int         // of the events that wait for a recording
}

// wait is how a delivery waits in memory.
type wait struct {
	phase  phase // why
	due    time.Time
	timer  *time.Timer
	cancel func() // of what it waits for; nil: nothing but time
}

func (w *wait) stop() {
	w.timer.Stop()
	if w.cancel != nil {
		w.cancel()
	}
}

func newBuffer() buffer { return buffer{waiting: map[*delivery]*wait{}} }

// add puts deliveries behind those that are ready.
func (b *buffer) add(list ...*delivery) { b.ready = append(b.ready, list...) }

// toFront puts a delivery before those that are ready.
func (b *buffer) toFront(d *delivery) {
	d.to(phaseReady)
	b.ready = slices.Insert(b.ready, 0, d)
}

// next takes the first delivery that is ready; nil when none is.
func (b *buffer) next() *delivery {
	if len(b.ready) == 0 {
		return nil
	}
	d := b.ready[0]
	b.ready[0], b.ready = nil, b.ready[1:]
	d.to(phaseTurn)
	return d
}

// oldest takes the delivery that was owed first, whether it is ready or waits
// for the endpoint; nil when there is none.
func (b *buffer) oldest() *delivery {
	var oldest *delivery
	for _, d := range b.ready {
		if oldest == nil || d.seq < oldest.seq {
			oldest = d
		}
	}
	for d, w := range b.waiting {
		if w.phase == phaseEndpoint && (oldest == nil || d.seq < oldest.seq) {
			oldest = d
		}
	}
	if oldest == nil {
		return nil
	}
	if !b.end(oldest) {
		i := slices.Index(b.ready, oldest)
		b.ready = slices.Delete(b.ready, i, i+1)
	}
	oldest.to(phaseTurn)
	return oldest
}

func (b *buffer) wait(d *delivery, w *wait) {
	d.to(w.phase)
	b.waiting[d] = w
	b.count(d, w, 1)
}

func (b *buffer) count(d *delivery, w *wait, n int) {
	b.counts[w.phase] += n
	if w.phase == phaseRecording {
		b.bytes += n * len(d.record.Body)
	}
}

// retries is how many wait in memory for anything but a recording.
func (b *buffer) retries() int {
	return b.counts[phaseEndpoint] + b.counts[phaseAsked] + b.counts[phaseUnstored]
}

// full reports whether no more may wait in memory.
func (b *buffer) full(p phase) bool {
	if p == phaseRecording {
		return b.counts[p] >= maxRecordings || b.bytes >= maxRecordingBytes
	}
	return b.retries() >= maxWaiting
}

// end takes a delivery out of those that wait, if it is among them.
func (b *buffer) end(d *delivery) bool {
	w, ok := b.waiting[d]
	if !ok {
		return false
	}
	w.stop()
	delete(b.waiting, d)
	b.count(d, w, -1)
	return true
}

// wake makes those ready that wait because of the endpoint.
func (b *buffer) wake() {
	var woken []*delivery
	for d, w := range b.waiting {
		if w.phase == phaseEndpoint {
			woken = append(woken, d)
		}
	}
	slices.SortFunc(woken, func(x, y *delivery) int { return cmp.Compare(x.seq, y.seq) })
	for _, d := range woken {
		b.end(d)
		d.to(phaseReady)
	}
	b.ready = append(woken, b.ready...)
}

// before takes out all that were accepted before a moment.
func (b *buffer) before(moment time.Time) []*delivery {
	old := func(d *delivery) bool { return d.accepted.Before(moment) }
	var list []*delivery
	for _, d := range b.ready {
		if old(d) {
			list = append(list, d)
		}
	}
	b.ready = slices.DeleteFunc(b.ready, old)
	for d := range b.waiting {
		if old(d) {
			b.end(d)
			list = append(list, d)
		}
	}
	for _, d := range list {
		d.to(phaseStoring)
	}
	return list
}

// empty takes out all.
func (b *buffer) empty() (ready []*delivery, waiting map[*delivery]*wait) {
	ready, waiting = b.ready, b.waiting
	for _, w := range waiting {
		w.stop()
	}
	*b = newBuffer()
	return ready, waiting
}

// due is the earliest moment at which a retry in hand comes due; zero: none waits.
func (b *buffer) due() time.Time {
	var earliest time.Time
	for _, w := range b.waiting {
		if w.phase != phaseRecording && (earliest.IsZero() || w.due.Before(earliest)) {
			earliest = w.due
		}
	}
	return earliest
}
