// Package source collects the call events of call servers.
//
// A [Source] is one of them. What differs between call servers is a [Machine],
// which turns their events into call events, and a [Session], which speaks
// their protocol; a [Collector] does the rest, for all alike.
package source

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/config"
)

// A Source collects events while it runs. It is safe for concurrent use.
type Source interface {
	Run(ctx context.Context) error // until ctx ends, then nil
	Status() Status
}

// Options say what a source is and where its events go.
type Options struct {
	Config        config.Source
	RecordingsDir string // the folder of recordings here; Config.RecordingsFrom is the call server's name for it, when that differs

	Emit Emit // how the relay takes them

	Spool   int                   // events that wait for the relay at most; 0: MaxSpooled
	Store   Store                 // nil: a restart of the relay knows nothing of the calls in progress
	Log     *slog.Logger          // nil: none
	Metrics prometheus.Registerer // nil: none
}

// Emit takes events, JSON objects, as the relay's own, in order and each for
// itself, and returns what became of each. One is durable when its error is
// nil. A [call.Error] means that it is refused for good; after any other error
// it may be offered again.
type Emit func(ctx context.Context, events [][]byte) []error

// Recordings is the call server's name for the folder of recordings.
func (o Options) Recordings() string {
	if o.Config.RecordingsFrom != "" {
		return o.Config.RecordingsFrom
	}
	return o.RecordingsDir
}

// Store keeps small things durably. The queue does.
type Store interface {
	Save(name string, data []byte) error
	Load(name string) ([]byte, error) // nothing, and no error, when it was never saved
}

// Event is one call event.
type Event struct {
	ID, Name string
	Body     []byte
	At       time.Time // when it happened, by the call server's clock
}

// Why nothing was heard.
const (
	GapStart      = "started in mid-call"
	GapRestart    = "relay restarted"
	GapDisconnect = "disconnected"
	GapSpool      = "spool full"
)
