package queue

import (
	"context"
	"io/fs"

	"callrelay/queue/archive"
	"callrelay/queue/dead"
	"callrelay/queue/doctor"
	"callrelay/queue/engine"
	"callrelay/queue/hub"
	"callrelay/queue/journal"
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
	// Stats is what the queue holds.
	Stats = record.Stats
	// ServiceStats is what the queue holds for one service.
	ServiceStats = record.ServiceStats
	// Finding is what an examination found of one thing.
	Finding = doctor.Finding
	// Level is how bad a [Finding] is.
	Level = doctor.Level
	// Letter is a delivery that was given up.
	Letter = record.Letter
	// Filter selects dead letters.
	Filter = record.Filter
	// Loss is a stream that was deleted or made anew, and what it held.
	Loss = journal.Loss
	// Stream names what [Queue.History] reads.
	Stream = dead.Stream
	// Logged is one record of ATTEMPTS or DEBUG.
	Logged = dead.Logged
	// Manifest says what a backup holds.
	Manifest = archive.Manifest
	// ManifestPart is how a file of a backup is known to be whole.
	ManifestPart = archive.ManifestPart
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

// What a hub and its edges are, see package hub.
type (
	// Hub is a central NATS, seen by who operates it.
	Hub = hub.Hub
	// HubLimits bound what a hub keeps, of all edges together.
	HubLimits = hub.Limits
	// HubState is how an edge stands with its hub.
	HubState = hub.State
	// Edge is an edge as the hub knows it.
	Edge = hub.Edge
	// EdgeReport is what an edge tells the hub of itself.
	EdgeReport = hub.EdgeReport
	// EdgeLetter is a dead letter of an edge, under the number it has there.
	EdgeLetter = hub.EdgeLetter
	// LetterSpan says which dead letters an edge has.
	LetterSpan = hub.LetterSpan
)

// The states of an [Edge].
const (
	EdgeLinked  = hub.EdgeLinked
	EdgeAway    = hub.EdgeAway
	EdgeRebuilt = hub.EdgeRebuilt
	EdgeRenamed = hub.EdgeRenamed
	EdgeDoubled = hub.EdgeDoubled

	// HubDomain is the JetStream domain that a hub has, and that no edge may have.
	HubDomain = hub.Domain
)

// Errors of [Hub].
var (
	ErrAway    = hub.ErrAway
	ErrNotKept = hub.ErrNotKept
)

// Examine looks through the folder of a relay that does not run, see
// [doctor.Examine].
func Examine(ctx context.Context, o Options, services []string) ([]Finding, error) {
	return doctor.Examine(ctx, o, services)
}

// ManifestFile is written last: a backup without it is not whole.
const ManifestFile = archive.ManifestFile

// ErrNotEmpty says that a folder to restore into holds something.
var ErrNotEmpty = archive.ErrNotEmpty

// Restore fills an empty or missing folder from a backup, see [archive.Restore].
func Restore(ctx context.Context, o Options, from fs.FS) (Manifest, error) {
	return archive.Restore(ctx, o, from)
}

// OpenHub links to a hub as its operator, see [hub.Open].
func OpenHub(ctx context.Context, o HubOptions) (*Hub, error) { return hub.Open(ctx, o) }

// What [Queue.History] reads, see package dead.
const (
	Attempts = dead.Attempts
	Debug    = dead.Debug
)

// How bad a [Finding] is.
const (
	Well     = doctor.Well
	Doubtful = doctor.Doubtful // it works, and may not for long
	Faulty   = doctor.Faulty   // it does not work, or something is lost
)

// MaxIDs is how many ids the queue remembers at most, see [journal.MaxIDs].
const MaxIDs = journal.MaxIDs

// ReasonOverflow is the reason of dead letters that the queue makes itself.
const ReasonOverflow = record.ReasonOverflow
