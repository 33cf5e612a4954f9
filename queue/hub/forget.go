package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Forget removes what the hub keeps of the folders that an edge's name stood for,
// and of the names that its folder had, but for what is linked now. It returns of
// how many. Of an edge that is away nothing is left.
func (h *Hub) Forget(ctx context.Context, edge string) (int, error) {
	seen, err := h.sightings(ctx)
	if err != nil {
		return 0, err
	}
	var names []string
	linked, n := "", 0
	for key, s := range seen {
		names = append(names, key[0])
		if key[0] == edge && s.linked {
			linked = key[1]
		}
	}
	if !slices.Contains(names, edge) {
		return 0, unknown("edge", edge, names)
	}
	for key, s := range seen {
		if s.linked || key[0] != edge && key[1] != linked {
			continue
		}
		if err := h.forget(ctx, key[0], key[1]); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// forget removes a folder under one name, its report last.
func (h *Hub) forget(ctx context.Context, edge, id string) error {
	for _, from := range []struct{ stream, subject string }{
		{hubEvents, copiedEvents + edge + "." + id + ".>"},
		{hubDead, copiedDead + edge + "." + id + ".>"},
		{hubEdges, reportSubject(edge, id)},
	} {
		s, err := h.js.Stream(ctx, from.stream)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err == nil {
			err = s.Purge(ctx, jetstream.WithPurgeSubject(from.subject))
		}
		if err != nil {
			return fmt.Errorf("forget edge %s: %w", edge, explainHub(err))
		}
	}
	return nil
}
