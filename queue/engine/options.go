package engine

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// HighPart is the part of MaxBytes from which on room is made.
const HighPart = 0.80

// Defaults of [Options], used where a field is zero.
const (
	DefaultMaxBytes     = 6 << 30             // of EVENTS and RETRY together
	DefaultDeadMaxBytes = 2 << 30             // of DEAD
	DefaultKeep         = 24 * time.Hour      // how long finished records stay in EVENTS
	DefaultDeadKeep     = 30 * 24 * time.Hour // how long dead letters stay
	DefaultAttemptsKeep = 24 * time.Hour      // how long ATTEMPTS and DEBUG stay
	DefaultDedupWindow  = 2 * time.Minute     // how long an id is known
	DefaultReplicas     = 3                   // in a cluster
	DefaultAckWait      = 10 * time.Second    // until what a relay that died had in hand comes again
	DefaultStalledAfter = 30 * time.Second    // longer than anything that may keep a lane waiting that is well
)

// Options says where the queue lies and what it may hold. Zero values are the
// defaults above.
type Options struct {
	Dir          string // made when missing, mode 0700
	MaxBytes     int64
	DeadMaxBytes int64
	Keep         time.Duration
	DeadKeep     time.Duration
	AttemptsKeep time.Duration
	DedupWindow  time.Duration
	Listen       string       // host:port for the nats CLI of the embedded server; empty: no listener
	Log          *slog.Logger // nil: nothing is logged

	// Servers are the URLs of a NATS cluster with JetStream, which holds the
	// records in place of the embedded server; empty: that one does. Dir is
	// then for the relay's own state only.
	Servers     []string
	Credentials string                      // for the cluster: the text of a credentials file, "user:password", or a token; empty: none
	TLS         func() (*tls.Config, error) // to the cluster, read at each connection; nil: what the URLs say
	Replicas    int                         // of every stream and consumer in the cluster
	Site        string                      // ends the names of streams, for sites that share a cluster; relays with the same one share the work
	Spool       bool                        // while the cluster is away records go into an embedded queue in Dir, to be forwarded

	Hub *HubOptions // a hub that may see this queue; nil: none. Not for a cluster

	// OnHigh is called, from a goroutine of the queue, when the stored bytes
	// first pass 80 % of max, and again only after they fell below.
	OnHigh func(bytes, max int64)
	// OnStall is called likewise, each time that a service is seen to stand still:
	// for half a minute it is owed deliveries, somebody waits for them, and none
	// comes. It begins anew by itself. Empty: the site of the relays does.
	OnStall func(service, why string)

	Seams Seams
}

// Seams are what tests put in the place of the real thing. Zero values: nothing.
type Seams struct {
	JetStream    func() JetStream // the embedded server
	AckWait      time.Duration    // how long a relay of a site may be silent about what it has in hand
	StalledAfter time.Duration    // how long a lane may stand still
}

// HubOptions say how to reach a hub, a central NATS that sees many edges.
type HubOptions struct {
	URLs        []string                    // where it takes leaf nodes
	Credentials string                      // the text of a credentials file, "user:password", or a token; empty: what the URLs hold
	TLS         func() (*tls.Config, error) // read at each new link; nil: what the URLs say
	Name        string                      // of this edge: its JetStream domain
	Version     string                      // of this relay, for the hub's list
}

// WithDefaults returns o with its zero values replaced.
func (o Options) WithDefaults() Options {
	setDefault(&o.MaxBytes, DefaultMaxBytes)
	setDefault(&o.DeadMaxBytes, DefaultDeadMaxBytes)
	setDefault(&o.Keep, DefaultKeep)
	setDefault(&o.DeadKeep, DefaultDeadKeep)
	setDefault(&o.AttemptsKeep, DefaultAttemptsKeep)
	setDefault(&o.DedupWindow, DefaultDedupWindow)
	setDefault(&o.Replicas, DefaultReplicas)
	if len(o.Servers) > 0 {
		o.Hub = nil // a cluster is no edge
	}
	setDefault(&o.Seams.AckWait, DefaultAckWait)
	setDefault(&o.Seams.StalledAfter, DefaultStalledAfter)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnHigh == nil {
		o.OnHigh = func(int64, int64) {}
	}
	if o.OnStall == nil {
		o.OnStall = func(string, string) {}
	}
	return o
}

func setDefault[T comparable](value *T, byDefault T) {
	var zero T
	if *value == zero {
		*value = byDefault
	}
}
