package queue

import (
	"context"
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

// saveFloors saves the floors while they move, and seldom while they do not.
func (q *Queue) saveFloors(ctx context.Context) {
	probe := time.NewTicker(floorProbe)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.stirred:
			q.followFloors(ctx)
		case <-probe.C:
			q.failOn(q.saveNow())
		}
	}
}

// followFloors saves the floors until they rest.
func (q *Queue) followFloors(ctx context.Context) {
	timer := time.NewTimer(floorNote)
	defer timer.Stop()
	for synced := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		start := time.Now()
		moved := q.floorsMoved()
		if moved {
			q.failOn(q.noteNow())
		}
		timer.Reset(max(floorNote, floorNoteRest*time.Since(start)))
		if start.Sub(synced) < floorInterval {
			continue
		}
		q.failOn(q.syncNow())
		if !moved {
			return
		}
		synced = start
	}
}

// saveNow returns when the floors are on disk as they are. Nobody else writes
// them meanwhile: the last to be written is to be the newest.
func (q *Queue) saveNow() error {
	q.saving.Lock()
	defer q.saving.Unlock()
	return q.floors.Save(q.snapshot())
}

func (q *Queue) noteNow() error {
	q.saving.Lock()
	defer q.saving.Unlock()
	return q.floors.Write(q.snapshot())
}

func (q *Queue) syncNow() error {
	q.saving.Lock()
	defer q.saving.Unlock()
	return q.floors.Sync()
}

func (q *Queue) failOn(err error) {
	if err != nil {
		q.fail(err)
	}
}

// stir has the floors saved soon.
func (q *Queue) stir() {
	select {
	case q.stirred <- struct{}{}:
	default:
	}
}

func (q *Queue) floorsMoved() bool {
	q.retries.mu.Lock()
	moved := q.retries.moved
	q.retries.mu.Unlock()
	for _, l := range q.allLanes() {
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
func (q *Queue) snapshot() lane.Floors {
	for _, l := range q.allLanes() {
		l.mu.Lock()
		l.moved = false // before they are collected: what moves meanwhile is saved again
		l.mu.Unlock()
	}
	q.retries.mu.Lock()
	q.retries.moved = false
	q.retries.mu.Unlock()
	return q.currentFloors()
}

// currentFloors collects the floors.
func (q *Queue) currentFloors() lane.Floors {
	fl := lane.Floors{Lanes: map[string]lane.Progress{}}
	released, shadowed := q.retries.released(), false
	for _, l := range q.allLanes() {
		l.mu.Lock()
		fl.Lanes[l.name] = lane.Progress{High: l.win.High, Open: l.win.Unfinished(nil)}
		shadowed = shadowed || len(l.lot.over)+l.shadows > 0
		l.mu.Unlock()
	}
	q.retries.mu.Lock()
	fl.Gone = record.Ascending(q.retries.gone)
	if !shadowed {
		q.retries.parkedTo = max(q.retries.parkedTo, released)
	}
	fl.Parked = q.retries.parkedTo
	q.retries.mu.Unlock()
	return fl
}
