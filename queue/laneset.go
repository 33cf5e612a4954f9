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

// laneSet holds the lanes of all services.
type laneSet struct {
	q     *Queue
	mu    sync.Mutex
	lanes map[string]*Lane
	count atomic.Int64
}

// lane returns the lane of a service, which may not be attached yet.
func (s *laneSet) lane(service string) *Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[service]
	if l == nil {
		l = newLane(s.q, service)
		s.lanes[service] = l
		s.count.Add(1)
	}
	return l
}

func (s *laneSet) allLanes() []*Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	lanes := make([]*Lane, 0, len(s.lanes))
	for _, l := range s.lanes {
		lanes = append(lanes, l)
	}
	return lanes
}

// attachLanes attaches a lane for every service that has records, or had.
func (s *laneSet) attachLanes(ctx context.Context, eng *engine.Engine) error {
	counts, err := eng.SubjectCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	for subject := range counts {
		if service := record.ServiceOf(subject); service != journal.MarkService {
			s.lane(service)
		}
	}
	last, err := eng.LastSeq(ctx, record.Events)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, l := range s.allLanes() {
		g.Go(func() error { return l.pull.attachAt(ctx, eng, last) })
	}
	return g.Wait()
}

// fetchBytes is what each lane may hold in advance.
func (s *laneSet) fetchBytes() int {
	return min(max(allFetchBytes/max(int(s.count.Load()), 1), minFetchBytes), maxFetchBytes)
}
