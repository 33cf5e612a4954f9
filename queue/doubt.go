package queue

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"

	"callrelay/queue/engine"
)

// doubt is of which records it is not known whether a stream has them. It is
// kept on disk, so that they are looked for after a crash too: JetStream itself
// knows an id only for a while. It is used by one goroutine at a time.
type doubt struct {
	After uint64   `json:"after"` // this was the last sequence of the stream before they were sent
	Keys  []string `json:"keys"`
}

// add notes that groups are about to be sent behind a sequence, or were.
func (d *doubt) add(after uint64, groups ...*group) {
	if len(d.Keys) == 0 || after < d.After {
		d.After = after
	}
	known := setOf(d.Keys)
	for _, g := range groups {
		for i := range g.recs {
			key := g.recs[i].Key()
			if g.keys != nil {
				key = g.keys[i]
			}
			if !known[key] {
				d.Keys = append(d.Keys, key)
			}
		}
	}
}

// resolve takes out of a group what the stream has. That stays in doubt until it
// is forgotten: a crash may bring it back once more.
func (d *doubt) resolve(ctx context.Context, eng *engine.Engine, stream string, g *group) error {
	doubtful, wanted := setOf(d.Keys), map[string]bool{}
	for _, key := range g.keys {
		if doubtful[key] {
			wanted[key] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	found := map[string]bool{}
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: d.After + 1, HeadersOnly: true}
	err := eng.Read(ctx, stream, cfg, func(m *nats.Msg, _ record.Place) bool {
		if key := record.IDOf(m.Header); wanted[key] {
			found[key] = true
		}
		return len(found) < len(wanted)
	})
	if err != nil {
		return fmt.Errorf("look for records in doubt: %w", err)
	}
	g.drop(found)
	return nil
}

// forget takes keys off: what they stand for is settled.
func (d *doubt) forget(keys []string) {
	gone := setOf(keys)
	d.Keys = slices.DeleteFunc(d.Keys, func(key string) bool { return gone[key] })
}

// drop takes the records with these keys out of the group.
func (g *group) drop(keys map[string]bool) {
	kept := &group{}
	for i := range g.recs {
		if !keys[g.keys[i]] {
			kept.recs = append(kept.recs, g.recs[i])
			kept.notes = append(kept.notes, g.notes[i])
			kept.keys = append(kept.keys, g.keys[i])
		}
	}
	g.recs, g.notes, g.keys = kept.recs, kept.notes, kept.keys
}
