package journal

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// Doubt is of which records it is not known whether a stream has them. It is
// kept on disk, so that they are looked for after a crash too: JetStream itself
// knows an id only for a while. It is used by one goroutine at a time.
type Doubt struct {
	After uint64   `json:"after"` // this was the last sequence of the stream before they were sent
	Keys  []string `json:"keys"`
}

// Add notes that groups are about to be sent behind a sequence, or were.
func (d *Doubt) Add(after uint64, groups ...*Group) {
	if len(d.Keys) == 0 || after < d.After {
		d.After = after
	}
	known := record.SetOf(d.Keys)
	for _, g := range groups {
		for i := range g.Recs {
			key := g.Recs[i].Key()
			if g.Keys != nil {
				key = g.Keys[i]
			}
			if !known[key] {
				d.Keys = append(d.Keys, key)
			}
		}
	}
}

// Resolve takes out of a group what the stream has. That stays in doubt until it
// is forgotten: a crash may bring it back once more.
func (d *Doubt) Resolve(ctx context.Context, eng *engine.Engine, stream string, g *Group) error {
	doubtful, wanted := record.SetOf(d.Keys), map[string]*record.Record{}
	for i, key := range g.Keys {
		if doubtful[key] {
			wanted[key] = &g.Recs[i]
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	found := map[string]bool{}
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: d.After + 1, HeadersOnly: true}
	err := eng.Read(ctx, stream, cfg, func(m *nats.Msg, _ record.Place) bool {
		key := record.IDOf(m.Header)
		if r := wanted[key]; r != nil && m.Header.Get(record.HeadClaim) == r.Claim { // and not what another relay took under its id
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

// Forget takes keys off: what they stand for is settled.
func (d *Doubt) Forget(keys []string) {
	gone := record.SetOf(keys)
	d.Keys = slices.DeleteFunc(d.Keys, func(key string) bool { return gone[key] })
}

// drop takes the records with these keys out of the group.
func (g *Group) drop(keys map[string]bool) {
	kept := &Group{}
	for i := range g.Recs {
		if !keys[g.Keys[i]] {
			kept.Recs = append(kept.Recs, g.Recs[i])
			kept.Notes = append(kept.Notes, g.Notes[i])
			kept.Keys = append(kept.Keys, g.Keys[i])
		}
	}
	g.Recs, g.Notes, g.Keys = kept.Recs, kept.Notes, kept.Keys
}
