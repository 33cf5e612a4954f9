package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// quorumReplicas is the fewest copies of which one may be lost.
const quorumReplicas = 3

// inStep is how long a server may lag behind the one that leads.
const inStep = 5 * time.Second

// examineCluster looks through what a cluster keeps for a relay that does not
// run. It changes nothing.
func examineCluster(ctx context.Context, x *exam) {
	began := time.Now()
	eng, err := engine.Connect(x.o)
	if err != nil {
		x.fault("cluster", "look at the servers, and at queue.servers, credentials and tls", "%v", err)
		return
	}
	defer eng.Stop()
	x.well("cluster", "answers after %s", time.Since(began).Round(time.Millisecond))
	x.shared(ctx, eng)
	counts := map[string]map[string]int{}
	for _, stream := range [...]string{record.Events, record.Retry, record.Dead} {
		counts[stream], _ = eng.ServiceCounts(ctx, stream) // the stream itself was found missing
	}
	known, err := eng.Consumers(ctx)
	if err != nil {
		return
	}
	names := map[string]bool{}
	for _, services := range counts {
		for name := range services {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		owed := counts[record.Events][name]
		if info, served := known[name]; served {
			owed = int(info.NumPending) + info.NumAckPending
		}
		x.service(name, owed, counts[record.Retry][name], counts[record.Dead][name])
	}
}

// shared looks at the streams of a site.
func (x *exam) shared(ctx context.Context, eng *engine.Engine) {
	known := map[string]engine.State{}
	for _, stream := range append(record.Order[:], record.Leases) {
		state, err := x.replicated(ctx, eng, stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			x.doubt(eng.Name(stream), "relay run makes it", "the stream is missing")
		} else if err != nil {
			x.fault(eng.Name(stream), "look at the logs of the servers", "%v", err)
		}
		known[stream] = state
	}
	x.levels(known)
	if x.o.Replicas < quorumReplicas {
		x.doubt("replicas", "queue.replicas = 3", "%d: what is acknowledged is lost with a server's disk, or waits until it is back", x.o.Replicas)
	}
	x.doubt("sync", "jetstream { sync_interval: always } in the configuration of each server",
		"whether the servers sync before they acknowledge is not to be seen from here")
}

// replicated looks at who keeps a stream.
func (x *exam) replicated(ctx context.Context, eng *engine.Engine, stream string) (engine.State, error) {
	name := eng.Name(stream)
	info, err := eng.Details(ctx, stream)
	switch {
	case err != nil:
		return info.State, err
	case info.Config.Storage != jetstream.FileStorage:
		x.fault(name, "delete it while it is empty; relay run makes it anew", "it is kept in memory, which is lost with the servers")
	case info.Config.Replicas != x.o.Replicas:
		x.doubt(name, "relay run sets it", "%d replicas, and queue.replicas is %d", info.Config.Replicas, x.o.Replicas)
	}
	if info.Cluster == nil { // a server by itself
		info.Cluster = &jetstream.ClusterInfo{}
	}
	if info.Cluster.Leader == "" && info.Config.Replicas > 1 {
		x.fault(name, "start the servers that are down: most of them have to agree", "nobody leads it")
	}
	var behind []string
	for _, peer := range info.Cluster.Replicas {
		if peer.Offline || !peer.Current && peer.Active > inStep {
			behind = append(behind, peer.Name)
		}
	}
	text := fmt.Sprintf("%s of %s, %d to %d, on %s", many(int(info.State.Messages), "record"), sizeText(int64(info.State.Bytes)),
		info.State.FirstSeq, info.State.LastSeq, many(len(info.Cluster.Replicas)+1, "server"))
	if info.Cluster.Leader != "" {
		text += ", led by " + info.Cluster.Leader
	}
	if len(behind) > 0 {
		x.doubt(name, "start it, or wait until it has caught up", "%s; not in step: %s", text, strings.Join(behind, ", "))
	} else {
		x.well(name, "%s", text)
	}
	return info.State, nil
}
