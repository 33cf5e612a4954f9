package journal

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
)

// Embedded is the part of a [Backend] that is the same for every store with a
// server of its own, over its folder.
type Embedded struct{ Store *Store }

// Patience implements [Backend].
func (e Embedded) Patience() (open, start time.Duration) { return 0, 0 }

// Start implements [Backend].
func (e Embedded) Start(ctx context.Context) (*engine.Engine, error) {
	return engine.Start(ctx, e.Store.Folder, e.Store.Options, nil)
}

// Shape implements [Backend].
func (e Embedded) Shape(streams []jetstream.StreamConfig) []jetstream.StreamConfig { return streams }

// Recover believes what the streams hold only when that is sure to be on disk.
func (e Embedded) Recover(ctx context.Context, eng *engine.Engine, first bool) error {
	switch {
	case !first:
		return e.disown(ctx, eng)
	case e.Store.Folder.Unclean:
		return e.secure(ctx, eng)
	}
	return nil
}

// Writer implements [Backend].
func (e Embedded) Writer(ctx context.Context, eng *engine.Engine, stream string) (Writer, error) {
	p, err := NewPublisher(ctx, eng, stream)
	if err == nil {
		p.Alone = true
	}
	return p, err
}

// Read implements [Backend].
func (e Embedded) Read(ctx context.Context, eng *engine.Engine, stream string, seq uint64) (*nats.Msg, error) {
	m, _, err := eng.GetDirect(ctx, stream, fmt.Appendf(nil, `{"seq":%d}`, seq))
	return m, err
}

// Fall implements [Backend].
func (e Embedded) Fall() {}

// Probe writes to the folder as the server would.
func (e Embedded) Probe() error {
	e.Store.lighten()
	path := e.Store.Folder.Path("probe")
	defer func() { _ = os.Remove(path) }()
	return engine.WriteFile(path, make([]byte, 64<<10))
}
