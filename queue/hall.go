package queue

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// hall holds the lanes of all services.
type hall struct {
	q     *Queue
	mu    sync.Mutex
	lanes map[string]*Lane
	count atomic.Int64
}

// lane returns the lane of a service, which may not be attached yet.
func (h *hall) lane(service string) *Lane {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lanes[service]
	if l == nil {
		l = newLane(h.q, service)
		h.lanes[service] = l
		h.count.Add(1)
	}
	return l
}

func (h *hall) allLanes() []*Lane {
	h.mu.Lock()
	defer h.mu.Unlock()
	lanes := make([]*Lane, 0, len(h.lanes))
	for _, l := range h.lanes {
		lanes = append(lanes, l)
	}
	return lanes
}

// attachLanes attaches a lane for every service that has records, or had.
func (h *hall) attachLanes(ctx context.Context, eng *engine.Engine) error {
	counts, err := eng.SubjectCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	for subject := range counts {
		if service := record.ServiceOf(subject); service != journal.MarkService {
			h.lane(service)
		}
	}
	last, err := eng.LastSeq(ctx, record.Events)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, l := range h.allLanes() {
		g.Go(func() error { return l.pull.attachAt(ctx, eng, last) })
	}
	return g.Wait()
}

// fetchBytes is what each lane may hold in advance.
func (h *hall) fetchBytes() int {
	return min(max(allFetchBytes/max(int(h.count.Load()), 1), minFetchBytes), maxFetchBytes)
}
