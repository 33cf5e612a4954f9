package journal

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
)

// Backend is what a store stands on: an embedded server, or a cluster.
type Backend interface {
	// Patience is how long the first start tries, and a later one may take; 0: the
	// first tries once, a later one takes what it takes.
	Patience() (open, start time.Duration)
	// Start returns a JetStream to work with.
	Start(ctx context.Context) (*engine.Engine, error)
	// Shape makes the configurations of the streams what they have to be here.
	Shape(streams []jetstream.StreamConfig) []jetstream.StreamConfig
	// Recover takes up what the streams hold. first is false after a restart.
	Recover(ctx context.Context, eng *engine.Engine, first bool) error
	// Serve has what the streams hold handed out.
	Serve(ctx context.Context, eng *engine.Engine) error
	// Writer returns what the committer of a stream writes through.
	Writer(ctx context.Context, eng *engine.Engine, stream string) (Writer, error)
	// Read returns a stored record, for sure if there is one.
	Read(ctx context.Context, eng *engine.Engine, stream string, seq uint64) (*nats.Msg, error)
	// Lose forgets what a stream held that is gone, and returns how many records
	// were owed.
	Lose(stream string) int
	// Fall is told that nothing can be written, before anything is refused.
	Fall()
	// Probe returns nil when a start may succeed.
	Probe() error
}
