package queue

import (
	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// What the rooms of the queue say to those outside.
type (
	// Options says where the queue lies and what it may hold.
	Options = engine.Options
	// HubOptions say how to reach a hub, a central NATS that sees many edges.
	HubOptions = engine.HubOptions
	// Record is one delivery owed: one event for one service.
	Record = record.Record
	// Stored is a record as it lies in a stream.
	Stored = record.Stored
	// Letter is a delivery that was given up.
	Letter = record.Letter
	// Filter selects dead letters.
	Filter = record.Filter
	// Death is why a delivery is given up.
	Death = record.Death
)

// Errors a caller may branch on, see package record.
var (
	ErrFull        = record.ErrFull
	ErrUnavailable = record.ErrUnavailable
	ErrBusy        = record.ErrBusy
	ErrTooLarge    = record.ErrTooLarge
	ErrConflict    = record.ErrConflict
	ErrNotFound    = record.ErrNotFound
)

// ReasonOverflow is the reason of dead letters that the queue makes itself.
const ReasonOverflow = record.ReasonOverflow
