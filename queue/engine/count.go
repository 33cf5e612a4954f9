package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

// counter counts what the streams hold, and what their consumers have still to
// send.
type counter struct{ *api }

// SubjectCounts returns how many records a stream has of each subject.
func (c counter) SubjectCounts(ctx context.Context, stream string) (map[string]uint64, error) {
	s, err := c.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", stream, err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return nil, fmt.Errorf("count %s: %w", stream, err)
	}
	return info.State.Subjects, nil
}

// ServiceCounts returns how many records a stream has of each service.
func (c counter) ServiceCounts(ctx context.Context, stream string) (map[string]int, error) {
	subjects, err := c.SubjectCounts(ctx, stream)
	counts := map[string]int{}
	for subject, n := range subjects {
		counts[record.ServiceOf(subject)] += int(n)
	}
	return counts, err
}

// HoldsOnly reports whether all records of a stream are of the subjects that a
// filter takes.
func (c counter) HoldsOnly(ctx context.Context, stream, filter string) bool {
	s, err := c.Stream(ctx, stream)
	if err != nil {
		return false
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(c.Subject(filter)))
	if err != nil {
		return false
	}
	for _, n := range info.State.Subjects {
		info.State.Msgs -= n
	}
	return info.State.Msgs == 0
}

// Consumers returns what is known of the consumer of each service.
func (c counter) Consumers(ctx context.Context) (map[string]jetstream.ConsumerInfo, error) {
	s, err := c.Stream(ctx, record.Events)
	if err != nil {
		return nil, err
	}
	known, list := map[string]jetstream.ConsumerInfo{}, s.ListConsumers(ctx)
	for info := range list.Info() {
		known[info.Name] = *info
	}
	return known, list.Err()
}

// ConsumerNames returns the names of the consumers of EVENTS.
func (c counter) ConsumerNames(ctx context.Context) (map[string]bool, error) {
	s, err := c.Stream(ctx, record.Events)
	if err != nil {
		return nil, err
	}
	known, list := map[string]bool{}, s.ConsumerNames(ctx)
	for name := range list.Name() {
		known[name] = true
	}
	return known, list.Err()
}

// Consumer returns what is known of the consumer of a service.
func (c counter) Consumer(ctx context.Context, service string) (jetstream.ConsumerInfo, error) {
	found, err := c.JS.Consumer(ctx, c.Name(record.Events), service)
	if err != nil {
		return jetstream.ConsumerInfo{}, err
	}
	return *found.CachedInfo(), nil
}

// CountFrom returns how many records of a filter a stream has from a sequence on.
func (c counter) CountFrom(ctx context.Context, stream, filter string, from uint64) (int, error) {
	made, err := c.JS.CreateConsumer(ctx, c.Name(stream), jetstream.ConsumerConfig{
		FilterSubject: c.Subject(filter), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", stream, err)
	}
	c.DropConsumer(stream, made.CachedInfo().Name)
	return int(made.CachedInfo().NumPending), nil
}

// StreamState is what a stream held.
type StreamState struct {
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
}

// State is what JetStream says of a stream.
type State struct {
	StreamState
	Last    time.Time `json:"last_ts"`
	Deleted int       `json:"num_deleted"`
	Lost    *struct {
		Msgs  []uint64 `json:"msgs"`
		Bytes uint64   `json:"bytes"`
	} `json:"lost"`
}

// streamDetails is what JetStream says of a stream, of its copies too.
type streamDetails struct {
	Config  jetstream.StreamConfig `json:"config"`
	Cluster *jetstream.ClusterInfo `json:"cluster"`
	State   State                  `json:"state"`
}

// Details asks JetStream for all that it says of a stream.
func (c counter) Details(ctx context.Context, stream string) (d streamDetails, err error) {
	answer, err := c.Ask(ctx, "$JS.API.STREAM.INFO."+c.Name(stream), nil)
	if err == nil {
		err = json.Unmarshal(answer, &d)
	}
	return d, err
}
