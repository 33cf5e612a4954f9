package queue

import (
	"context"
	"sync"
	"time"

	"callrelay/queue/lane"
	"callrelay/queue/record"
)

const (
	// floorInterval is how often the floors are synced while they move.
	floorInterval = 100 * time.Millisecond
	// floorNote is how often they are written in between. A twentieth of one
	// processor is the most that is spent on it.
	floorNote     = 5 * time.Millisecond
	floorNoteRest = 20
	// floorProbe is how often they are saved while they rest, so that a disk that
	// cannot be written is noticed though nobody writes.
	floorProbe = 5 * time.Second
)

// saving keeps the floors of all lanes on disk.
type saving struct {
	q       *Queue
	file    *lane.FloorFile // nil in a cluster
	mu      sync.Mutex      // held while it is written
	stirred chan struct{}   // holds a token when the floors moved
}

// run saves the floors while they move, and seldom while they do not.
func (s *saving) run(ctx context.Context) {
	probe := time.NewTicker(floorProbe)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.stirred:
			s.follow(ctx)
		case <-probe.C:
			s.failOn(s.save())
		}
	}
}

// follow saves the floors until they rest.
func (s *saving) follow(ctx context.Context) {
	timer := time.NewTimer(floorNote)
	defer timer.Stop()
	for synced := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		moved := s.moved()
		if moved {
			s.failOn(s.note())
		}
		timer.Reset(max(floorNote, floorNoteRest*time.Since(start)))
		if start.Sub(synced) < floorInterval {
			continue
		}
		s.failOn(s.sync())
		if !moved {
			return
		}
		synced = start
	}
}

// save returns when the floors are on disk as they are. Nobody else writes
// them meanwhile: the last to be written is to be the newest.
func (s *saving) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Save(s.snapshot())
}

func (s *saving) note() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Write(s.snapshot())
}

func (s *saving) sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.Sync()
}

func (s *saving) failOn(err error) {
	if err != nil {
		s.q.store.Fail(err)
	}
}

// stir has the floors saved soon.
func (s *saving) stir() {
	select {
	case s.stirred <- struct{}{}:
	default:
	}
}

func (s *saving) moved() bool {
	s.q.retries.mu.Lock()
	moved := s.q.retries.moved
	s.q.retries.mu.Unlock()
	for _, l := range s.q.allLanes() {
		if moved {
			break
		}
		l.mu.Lock()
		moved = l.moved
		l.mu.Unlock()
	}
	return moved
}

// snapshot collects the floors and counts them as saved.
func (s *saving) snapshot() lane.Floors {
	for _, l := range s.q.allLanes() {
		l.mu.Lock()
		l.moved = false // before they are collected: what moves meanwhile is saved again
		l.mu.Unlock()
	}
	s.q.retries.mu.Lock()
	s.q.retries.moved = false
	s.q.retries.mu.Unlock()
	return s.current()
}

// current collects the floors.
func (s *saving) current() lane.Floors {
	fl := lane.Floors{Lanes: map[string]lane.Progress{}}
	released, shadowed := s.q.retries.released(), false
	for _, l := range s.q.allLanes() {
		l.mu.Lock()
		fl.Lanes[l.name] = lane.Progress{High: l.win.High, Open: l.win.Unfinished(nil), Past: l.retrying.lot.pastBeyond(&l.win)}
		shadowed = shadowed || len(l.retrying.lot.over)+l.shadows > 0
		l.mu.Unlock()
	}
	s.q.retries.mu.Lock()
	fl.Gone = record.Ascending(s.q.retries.gone)
	if !shadowed {
		s.q.retries.parkedTo = max(s.q.retries.parkedTo, released)
	}
	fl.Parked = s.q.retries.parkedTo
	s.q.retries.mu.Unlock()
	return fl
}
