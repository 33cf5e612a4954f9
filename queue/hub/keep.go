package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	keepInterval   = reportInterval // between roll calls, which may find new edges
	edgesKeep      = 365 * 24 * time.Hour
	edgesMaxBytes  = 64 << 20
	codeReplicas   = 10074 // JetStream's error for replicas without a cluster
	copiedEvents   = "hub.events."
	copiedDead     = "hub.dead."
	sourcesAtATime = 1000 // the most edges that a stream copies
)

// Limits bound what a hub keeps, of all edges together. Zero values are the
// defaults of [Options].
type Limits struct {
	Keep, DeadKeep         time.Duration
	MaxBytes, DeadMaxBytes int64
	Replicas               int // 1 where the hub is one server
}

// Keep sets the hub up, and has it copy from the edges it knows of, as [Hub.Follow]
// does all the time. It returns their names.
func (h *Hub) Keep(ctx context.Context, limits Limits) ([]string, error) {
	seen, err := h.sightings(ctx)
	if err != nil {
		return nil, err
	}
	edges := copied(assess(seen))
	if len(edges) > sourcesAtATime {
		return nil, fmt.Errorf("%d edges, and a hub copies from %d at most", len(edges), sourcesAtATime)
	}
	for _, c := range []jetstream.StreamConfig{
		limits.reports(seen), limits.copies(hubEvents, record.Events, copiedEvents, edges), limits.copies(hubDead, record.Dead, copiedDead, edges),
	} {
		if err := h.ensure(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, s := range seen {
		if !s.newly {
			continue
		}
		data, err := json.Marshal(s.EdgeReport)
		if err == nil {
			_, err = h.js.Publish(ctx, reportSubject(s.Name, s.ID), data)
		}
		if err != nil {
			return nil, fmt.Errorf("keep report of edge %s: %w", s.Name, explainHub(err))
		}
	}
	return namesOf(edges), nil
}

// copied leaves out those of which two have one name: which of them would answer
// is not known.
func copied(edges []Edge) []Edge {
	return slices.DeleteFunc(edges, func(e Edge) bool { return e.State == EdgeDoubled })
}

func namesOf(edges []Edge) []string {
	names := make([]string, len(edges))
	for i, e := range edges {
		names[i] = e.Name
	}
	return names
}

// Follow keeps the hub until ctx ends: an edge that comes is copied from soon.
func (h *Hub) Follow(ctx context.Context, limits Limits, log *slog.Logger) error {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	last, trouble := []string(nil), ""
	for {
		names, err := h.Keep(ctx, limits)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && err.Error() != trouble:
			trouble = err.Error()
			log.Warn("hub not kept", "err", err)
		case err == nil && (trouble != "" || last == nil || !slices.Equal(names, last)):
			last, trouble = names, ""
			log.Info("hub copies from its edges", "count", len(names), "edges", names)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// reports is the stream of the last reports. It names each edge, for an edge that
// may report for itself only is not heard by who listens to all.
func (l Limits) reports(seen map[[2]string]sighting) jetstream.StreamConfig {
	subjects := []string{reportSubject(Domain, "*")} // of nobody, for a stream has to have one
	for key := range seen {
		subjects = append(subjects, reportSubject(key[0], "*"))
	}
	slices.Sort(subjects)
	return jetstream.StreamConfig{
		Name: hubEdges, Subjects: slices.Compact(subjects), MaxMsgsPerSubject: 1,
		MaxAge: edgesKeep, MaxBytes: edgesMaxBytes, Duplicates: engine.LostReplyWindow,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, Replicas: max(l.Replicas, 1),
	}
}

// copies is the stream that copies one stream of all edges. The name and the
// folder of an edge are part of the subjects, and so a folder that is new is read
// from its beginning.
func (l Limits) copies(name, stream, prefix string, edges []Edge) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: name, MaxAge: cmp.Or(l.Keep, engine.DefaultKeep), MaxBytes: cmp.Or(l.MaxBytes, engine.DefaultMaxBytes), Duplicates: engine.LostReplyWindow,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, Replicas: max(l.Replicas, 1), AllowDirect: true,
	}
	from := "events.>"
	if stream == record.Dead {
		from, c.MaxAge, c.MaxBytes = "dead.>", cmp.Or(l.DeadKeep, engine.DefaultDeadKeep), cmp.Or(l.DeadMaxBytes, engine.DefaultDeadMaxBytes)
	}
	for _, e := range edges {
		c.Sources = append(c.Sources, &jetstream.StreamSource{
			Name:              stream,
			External:          &jetstream.ExternalStream{APIPrefix: apiSubject(e.Name), DeliverPrefix: copySubject(e.Name)},
			SubjectTransforms: []jetstream.SubjectTransformConfig{{Source: from, Destination: prefix + e.Name + "." + e.ID + "." + from[len(from)-1:]}},
		})
	}
	return c
}

// ensure makes a stream of the hub what it shall be.
func (h *Hub) ensure(ctx context.Context, want jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(ctx, engine.CreateTimeout)
	defer cancel()
	s, err := h.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = h.create(ctx, want)
	} else if err == nil {
		have := s.CachedInfo().Config
		if sameCopies(have, want) {
			return nil
		}
		want.Replicas = have.Replicas
		_, err = h.js.UpdateStream(ctx, want)
	}
	if err != nil {
		return fmt.Errorf("stream %s of the hub: %w", want.Name, explainHub(err))
	}
	return nil
}

// create makes a stream, of one replica where the hub is one server.
func (h *Hub) create(ctx context.Context, want jetstream.StreamConfig) error {
	_, err := h.js.CreateStream(ctx, want)
	if failure := (*jetstream.APIError)(nil); errors.As(err, &failure) && failure.ErrorCode == codeReplicas {
		want.Replicas = 1
		_, err = h.js.CreateStream(ctx, want)
	}
	return err
}

// sameCopies compares what this package sets.
func sameCopies(have, want jetstream.StreamConfig) bool {
	type source struct{ api, deliver, from, to string }
	of := func(c jetstream.StreamConfig) map[source]bool {
		set := map[source]bool{}
		for _, s := range c.Sources {
			if s.External != nil && len(s.SubjectTransforms) == 1 {
				set[source{s.External.APIPrefix, s.External.DeliverPrefix, s.SubjectTransforms[0].Source, s.SubjectTransforms[0].Destination}] = true
			}
		}
		return set
	}
	return have.MaxAge == want.MaxAge && have.MaxBytes == want.MaxBytes && slices.Equal(slices.Sorted(slices.Values(have.Subjects)), want.Subjects) &&
		reflect.DeepEqual(of(have), of(want))
}
