package queue

import (
	"sync/atomic"
	"time"

	"callrelay/queue/record"
)

// Entry is a record that a lane handed out. It is in flight until exactly one
// of Finish, Return, Park and Bury has returned without an error; calls after
// that do nothing.
type Entry struct {
	record.Record
	Seq      uint64    // its place in EVENTS, which gives the order of its call
	Accepted time.Time // when the event was accepted, or its dead letter replayed
	Attempts int       // made so far, as told to Park
	Replayed bool      // it was a dead letter

	stored int64 // when it was accepted, as it is stored: see [clock]
	lane   *Lane
	item   *parked // where it lies in RETRY; nil: it lies in EVENTS
	ack    string  // tells JetStream's consumer that it is done with
	over   atomic.Bool
	erased atomic.Bool // see Erased

	touched time.Time // when JetStream was told last that it is being worked on; used in a cluster

	era    int  // of the lane's EVENTS
	shadow bool // it lies in RETRY too, since a crash: only its place here is left to release
}

// Parking is how a delivery waits for its next attempt.
type Parking struct {
	Attempts int
	Due      time.Time
	Held     bool // it waits because of the endpoint, so [Lane.Wake] brings it forward
	Status   int
	Reason   string
}

// Erased reports whether the entry was erased while it was in flight. Whatever
// ends it then, it is not stored again.
func (e *Entry) Erased() bool { return e.erased.Load() }

// Finish releases the entry: it was delivered. That is on disk within 100 ms;
// a crash before repeats the delivery.
func (e *Entry) Finish() {
	if e.over.CompareAndSwap(false, true) {
		e.lane.release(e)
	}
}

// Return gives the entry back untouched. Next hands it out again, before later
// ones.
func (e *Entry) Return() {
	if e.Erased() {
		e.Finish()
		return
	}
	if e.over.CompareAndSwap(false, true) {
		e.lane.giveBack(e)
	}
}

// Park puts the entry aside until p.Due. It is durable when Park returns. On
// an error, [ErrFull] or [ErrUnavailable], the entry stays in flight.
func (e *Entry) Park(p Parking) error {
	if e.Erased() {
		e.Finish()
	}
	if e.over.Load() {
		return nil
	}
	items, err := e.lane.q.parking.park([]*Entry{e}, func(*Entry) Parking { return p })
	if err != nil {
		return err
	}
	// A crash here leaves the delivery in both streams; the parked one wins.
	if e.over.CompareAndSwap(false, true) {
		e.lane.exchange(e, items[0])
	}
	return nil
}

// Bury makes the entry a dead letter. The letter is stored when Bury returns.
// On an error, [ErrFull] or [ErrUnavailable], the entry stays in flight.
func (e *Entry) Bury(d record.Death) error {
	if e.Erased() {
		e.Finish()
	}
	if e.over.Load() {
		return nil
	}
	if err := e.lane.q.burial.bury([]*Entry{e}, d); err != nil {
		return err
	}
	// A crash here repeats the delivery, beside its dead letter.
	if e.over.CompareAndSwap(false, true) {
		e.lane.release(e)
	}
	return nil
}
