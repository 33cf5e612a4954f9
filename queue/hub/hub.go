package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// The streams at a hub.
const (
	hubEdges  = "HUB-EDGES"  // the last report of each folder of each edge
	hubEvents = "HUB-EVENTS" // what the edges' EVENTS hold or held
	hubDead   = "HUB-DEAD"   // likewise

	// Domain is the JetStream domain that a hub has, and that no edge may have.
	Domain = "hub"
)

// Errors of [Hub].
var (
	// ErrAway means that an edge is not linked to the hub now.
	ErrAway = errors.New("not linked to the hub")
	// ErrNotKept means that the hub has no copies: nobody set them up.
	ErrNotKept = errors.New("the hub keeps no copies")
)

const (
	hubPatience    = 5 * time.Second // for the hub to take a link
	leaderPatience = 3 * time.Second // for a hub of several servers to agree on who leads a stream
	answerTime     = time.Second     // for edges to answer
	quietTime      = 250 * time.Millisecond
	rollTime       = 5 * time.Second // after which a roll call ends, though answers still come
	maxStrangers   = sourcesAtATime  // edges that one roll call may find
)

// Hub is a central NATS, seen by who operates it. It reaches the hub as edges
// do, through a leaf node, and is safe for concurrent use.
type Hub struct {
	link *outlink
	js   jetstream.JetStream
}

// Open links to the hub. It needs rights that no edge has there.
func Open(ctx context.Context, o engine.HubOptions) (*Hub, error) {
	l, err := openLink(ctx, o, "relay-operator-"+engine.NewPassword()[:16])
	if err != nil {
		return nil, err
	}
	h := &Hub{link: l}
	if h.js, err = jetstream.NewWithDomain(l.nc, Domain, jetstream.WithDefaultTimeout(engine.RequestTimeout)); err == nil {
		err = h.await(ctx)
	}
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// await waits until the hub has taken the link, and told of its streams.
func (h *Hub) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, hubPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !h.link.ns.GlobalAccount().SubscriptionInterest(apiSubject(Domain) + ".STREAM.INFO." + hubEdges) {
		select {
		case <-ctx.Done():
			switch {
			case !errors.Is(ctx.Err(), context.DeadlineExceeded):
				return ctx.Err()
			case h.link.up():
				return explainHub(nats.ErrNoResponders)
			}
			return fmt.Errorf("%w: link to hub: %s", record.ErrUnavailable, h.link.said.reason())
		case <-tick.C:
		}
	}
	return nil
}

// Close ends the link.
func (h *Hub) Close() { h.link.close() }

// sighting is a report, and when the hub had it.
type sighting struct {
	EdgeReport
	seen   time.Time
	linked bool
	newly  bool // the hub has kept no report of it
}

// Edges returns the edges that the hub has seen, by name. Those that are linked
// have just told of themselves.
func (h *Hub) Edges(ctx context.Context) ([]Edge, error) {
	seen, err := h.sightings(ctx)
	if err != nil {
		return nil, err
	}
	return assess(seen), nil
}

// sightings joins what the hub keeps with what answers the roll call. Any edge
// may answer under any name, but report under its own only. So of a name that is
// known, an answer counts only for a folder that has reported itself.
func (h *Hub) sightings(ctx context.Context) (map[[2]string]sighting, error) {
	seen, err := h.kept(ctx)
	if err != nil && !errors.Is(err, ErrNotKept) {
		return nil, err
	}
	sub, err := h.link.nc.SubscribeSync(h.link.nc.NewInbox())
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := h.link.nc.PublishRequest(rollCall, sub.Subject, nil); err != nil {
		return nil, err
	}
	return seen, h.gather(ctx, sub, seen)
}

// gather takes answers until all that are expected came and no other follows, or
// none came for a while.
func (h *Hub) gather(ctx context.Context, sub *nats.Subscription, seen map[[2]string]sighting) error {
	known, expected, strangers := map[string]bool{}, 0, 0
	for key, s := range seen {
		known[key[0]] = true
		if time.Since(s.seen) < 2*reportInterval {
			expected++
		}
	}
	for got, end := 0, time.Now().Add(rollTime); time.Now().Before(end); {
		wait := answerTime
		if got > 0 && got >= expected {
			wait = quietTime
		}
		m, err := nextWithin(ctx, sub, wait)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return nil
		case errors.Is(err, nats.ErrNoResponders):
			continue // they come, if they do
		case err != nil:
			return err
		}
		var r EdgeReport
		if json.Unmarshal(m.Data, &r) != nil || !r.named() {
			continue
		}
		was, kept := seen[r.key()]
		stranger := !kept && !known[r.Name]
		if stranger && strangers < maxStrangers {
			strangers++
		} else if !kept {
			continue
		}
		seen[r.key()] = sighting{r, time.Now(), true, was.newly || stranger}
		if !was.linked {
			got++
		}
	}
	return nil
}

func nextWithin(ctx context.Context, sub *nats.Subscription, limit time.Duration) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// kept reads the last report of each folder.
func (h *Hub) kept(ctx context.Context) (map[[2]string]sighting, error) {
	seen := map[[2]string]sighting{}
	return seen, h.read(ctx, hubEdges, []string{reportSubject("*", "*")}, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
		var r EdgeReport
		if json.Unmarshal(m.Data(), &r) == nil && r.named() && m.Subject() == reportSubject(r.Name, r.ID) {
			seen[r.key()] = sighting{EdgeReport: r, seen: meta.Timestamp}
		}
		return true
	})
}

// read passes what a stream of the hub has of some subjects to visit, oldest
// first, until it returns false.
func (h *Hub) read(ctx context.Context, stream string, subjects []string, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) error {
	c, err := h.reader(ctx, stream, subjects)
	if err == nil {
		err = h.readAll(c, visit)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return ErrNotKept
	}
	if err != nil {
		return fmt.Errorf("read stream %s of the hub: %w", stream, explainHub(err))
	}
	return nil
}

// reader begins to read a stream. It has some patience with a hub of several
// servers, which may be about to agree on who leads the stream.
func (h *Hub) reader(ctx context.Context, stream string, subjects []string) (jetstream.Consumer, error) {
	for began := time.Now(); ; {
		c, err := h.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: subjects})
		if !silent(err) || time.Since(began) > leaderPatience {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(quietTime):
		}
	}
}

func (h *Hub) readAll(c jetstream.Consumer, visit func(jetstream.Msg, *jetstream.MsgMetadata) bool) error {
	if c.CachedInfo() != nil && c.CachedInfo().NumPending == 0 {
		return nil
	}
	all, err := c.Messages()
	if err != nil {
		return err
	}
	defer all.Stop()
	for {
		m, err := all.Next(jetstream.NextMaxWait(engine.RequestTimeout))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if !visit(m, meta) || meta.NumPending == 0 {
			return nil
		}
	}
}

// silent reports whether an error is that nobody answered.
func silent(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled)
}

// explainHub says what a hub lacks that does not answer.
func explainHub(err error) error {
	if !silent(err) {
		return err
	}
	return fmt.Errorf("%w: no JetStream of domain %q answers (its server needs jetstream { domain: %s }, and the user of these credentials the right to it)",
		record.ErrUnavailable, Domain, Domain)
}
