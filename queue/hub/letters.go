package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// replayPatience is how long an edge may say nothing of a replay.
const replayPatience = 30 * time.Second

// EdgeLetter is a dead letter of an edge, under the number it has there.
type EdgeLetter struct {
	Edge string
	record.Letter
}

// Letters passes the dead letters that match, of an edge or with an empty name
// of all, to visit, until it returns false. They are read from the hub's copy,
// without those that are no dead letters any more as far as the edge has told.
func (h *Hub) Letters(ctx context.Context, edge string, f record.Filter, visit func(EdgeLetter) bool) error {
	edges, err := h.chosen(ctx, edge, f.Service)
	if err != nil {
		return err
	}
	spans := map[string]LetterSpan{}
	for _, e := range edges {
		spans[e.Name+"."+e.ID] = e.Letters
	}
	subject := copiedDead + orAny(edge) + ".*." + orAny(f.Service) + "." + orAny(f.Reason)
	return h.read(ctx, hubDead, []string{subject}, func(m jetstream.Msg, meta *jetstream.MsgMetadata) bool {
		l, folder := readEdgeLetter(m, meta)
		span, current := spans[l.Edge+"."+folder]
		if !current || !span.Has(l.Seq) || !f.Matches(&l.Letter) {
			return true
		}
		return visit(l)
	})
}

func orAny(token string) string {
	if token == "" {
		return "*"
	}
	return token
}

// chosen returns all edges. The error is [record.ErrNotFound], with the names there
// are, for an edge that was never seen and a service that the edge, or none of them
// when edge is empty, has; an empty service is any.
func (h *Hub) chosen(ctx context.Context, edge, service string) ([]Edge, error) {
	edges, err := h.Edges(ctx)
	if err != nil {
		return nil, err
	}
	var names, services []string
	silent := false // an older edge does not name its services
	for _, e := range edges {
		names = append(names, e.Name)
		if edge == "" || e.Name == edge {
			services = append(services, e.Services...)
			silent = silent || len(e.Services) == 0
		}
	}
	if edge != "" && !slices.Contains(names, edge) {
		return nil, unknown("edge", edge, names)
	}
	if service != "" && !silent && !slices.Contains(services, service) {
		return nil, unknown("service", service, services)
	}
	return edges, nil
}

func unknown(what, name string, known []string) error {
	slices.Sort(known)
	return fmt.Errorf("%s %q: %w (known: %s)", what, name, record.ErrNotFound, strings.Join(slices.Compact(known), ", "))
}

// readEdgeLetter reads a letter of the copy: hub.dead.<edge>.<folder>.<service>.<reason>.
func readEdgeLetter(m jetstream.Msg, meta *jetstream.MsgMetadata) (EdgeLetter, string) {
	tokens := strings.SplitN(strings.TrimPrefix(m.Subject(), copiedDead), ".", 3)
	h := m.Headers()
	_, rest, _ := strings.Cut(h.Get(natsSource), " ")
	number, _, _ := strings.Cut(rest, " ")
	seq, _ := strconv.ParseUint(number, 10, 64)
	at := record.HeadTime(h, record.HeadBuried)
	if at.IsZero() {
		at = meta.Timestamp
	}
	return EdgeLetter{tokens[0], record.ReadLetter(&nats.Msg{Subject: "dead." + tokens[2], Header: h, Data: m.Data()}, seq, at)}, tokens[1]
}

// natsSource is the header of a copied record that holds the stream and the
// number that it came from.
const natsSource = "Nats-Stream-Source"

// Replay has an edge put the letters that match back, as [Queue.Replay] does,
// and returns how many. The edge goes on when ctx ends, or the hub does. tell is
// told how many so far.
func (h *Hub) Replay(ctx context.Context, edge string, f record.Filter, tell func(int)) (int, error) {
	if _, err := h.chosen(ctx, edge, f.Service); err != nil {
		return 0, err
	}
	data, err := json.Marshal(f)
	if err != nil {
		return 0, err
	}
	sub, err := h.link.nc.SubscribeSync(h.link.nc.NewInbox())
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := h.link.nc.PublishRequest(replaySubject(edge), sub.Subject, data); err != nil {
		return 0, err
	}
	count, patience := 0, engine.RequestTimeout
	for {
		m, err := nextWithin(ctx, sub, patience)
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return count, fmt.Errorf("edge %s: %w", edge, ErrAway)
		}
		if err != nil {
			return count, err
		}
		var r replayed
		if err := json.Unmarshal(m.Data, &r); err != nil {
			return count, fmt.Errorf("edge %s: answer not understood: %w", edge, err)
		}
		count, patience = r.Count, replayPatience
		switch {
		case r.Failed != "":
			return count, fmt.Errorf("edge %s: %s", edge, r.Failed)
		case r.Done:
			return count, nil
		}
		tell(count)
	}
}
