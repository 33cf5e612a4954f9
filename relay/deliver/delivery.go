package deliver

import (
	"context"
	"log/slog"
	"time"

	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/exchange"
)

// entry is the place of a delivery in the queue. Each method ends it, unless it
// returns an error.
type entry interface {
	Finish()
	Return()
	Park(queue.Parking) error
	Bury(queue.Death) error
}

// delivery is one event owed to one service, while its runner has it in hand.
// It belongs to one goroutine at a time.
type delivery struct {
	entry
	record   queue.Record
	seq      uint64
	accepted time.Time
	attempts int          // made so far
	known    int          // of them, the queue knows
	status   int          // of the last answer; 0: none
	event    *call.Event  // once it was read
	death    *queue.Death // not nil: it is dead, and the queue could not store that yet
	erased   func() bool  // the queue erased it meanwhile; nil: it never does

	phase phase
	moved func(from, to phase) // sees each change of it; nil: nobody does
}

func newDelivery(e *queue.Entry) *delivery {
	return &delivery{entry: e, record: e.Record, seq: e.Seq, accepted: e.Accepted, attempts: e.Attempts, known: e.Attempts, erased: e.Erased}
}

// isErased reports whether the delivery was erased while it was in hand: nothing of
// it is sent, kept or reported any more.
func (d *delivery) isErased() bool { return d.erased != nil && d.erased() }

// read returns the event. What intake has accepted can be read back; anything
// else in the queue was not put there by a relay.
func (d *delivery) read() (*call.Event, error) {
	if d.event != nil {
		return d.event, nil
	}
	e, err := call.Parse(d.record.Body, d.record.ID)
	if err != nil {
		return nil, err
	}
	d.event = e
	return e, nil
}

// parking is how the queue keeps the delivery until it is due.
func (d *delivery) parking(due time.Time, held bool) queue.Parking {
	return queue.Parking{Attempts: d.attempts, Due: due, Held: held, Status: d.status}
}

// operational reports whether the event is one about the relay itself.
func (d *delivery) operational() bool { return call.Operational(d.record.Event) }

// logAttrs are what names the delivery in a log.
func (d *delivery) logAttrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("service", d.record.Service),
		slog.String("event", d.record.Event),
		slog.String("delivery", exchange.Clip(d.record.ID)),
	}
	if d.record.Segment != "" {
		attrs = append(attrs, slog.String("segment", exchange.Clip(d.record.Segment)))
	}
	return attrs
}

// lane is what a runner needs of a [queue.Lane].
type lane interface {
	Next(ctx context.Context, max int) ([]*delivery, error)
	SetOrdered(bool)
	Wake(queue.Wake)
}

// queueLane is the lane of a real queue.
type queueLane struct{ *queue.Lane }

// Next implements lane.
func (l queueLane) Next(ctx context.Context, max int) ([]*delivery, error) {
	entries, err := l.Lane.Next(ctx, max)
	deliveries := make([]*delivery, len(entries))
	for i, e := range entries {
		deliveries[i] = newDelivery(e)
	}
	return deliveries, err
}
