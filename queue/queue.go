package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"callrelay/queue/archive"
	"callrelay/queue/dead"
	"callrelay/queue/doctor"
	"callrelay/queue/engine"
	"callrelay/queue/hub"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// Queue is the durable queue. It is safe for concurrent use.
type Queue struct {
	*dead.Book // dead letters
	*dead.Log  // attempts and transcripts
	laneSet

	store   *journal.Store
	base    base
	saving  saving
	parking parking
	burial  burial
	watch   laneWatch
	upkeep  upkeep
	trimmer trimmer

	loading *loading
	retries retries
	hub     *hub.Link // nil without a hub
	cached  statsCache

	resending sync.Mutex // held by [Queue.SendAgain]

	closeOnce sync.Once
	closeErr  error
}

// Open opens the queue in o.Dir, or makes it there, and returns when it can
// take records. It refuses a folder that another relay has open and one that a
// newer relay has written.
func Open(ctx context.Context, o engine.Options) (*Queue, error) {
	store, err := journal.NewStore(ctx, o, nil)
	if err != nil {
		return nil, err
	}
	q := &Queue{Book: dead.NewBook(store), Log: dead.NewLog(store), store: store, laneSet: laneSet{lanes: map[string]*Lane{}}}
	q.saving = saving{q: q, stirred: make(chan struct{}, 1)}
	q.retries, q.parking, q.cached = retries{q: q, wake: make(chan struct{}, 1)}, parking{q}, statsCache{q: q}
	q.laneSet.q, q.burial.q, q.watch.q, q.upkeep.q, q.trimmer.q = q, q, q, q, q
	q.base = newBase(q)
	q.loading = newLoading(q)
	store.Events.OnStored = q.base.stored
	store.Retry.OnStored = func(_ *record.Record, seq uint64) { q.retries.stored(seq) }
	if err := q.begin(ctx); err != nil {
		q.saving.file.Close()
		store.Release()
		return nil, fmt.Errorf("open queue %s: %w", o.Dir, err)
	}
	store.Run()
	for _, part := range []func(context.Context){q.base.run, q.retries.sweep, q.upkeep.run, q.watch.run} {
		store.Background(part)
	}
	if q.hub != nil {
		store.Background(q.hub.Run)
	}
	return q, nil
}

// begin takes up what there is.
func (q *Queue) begin(ctx context.Context) error {
	err := q.base.load(ctx)
	if o := q.store.Options; err == nil && o.Hub != nil {
		q.hub, err = hub.NewLink(q.store.Folder, *o.Hub, o.Log, hub.Shown{Engine: q.store.Engine, Health: q.Health, Stats: q.Stats, Replay: q.Replay})
	}
	if err != nil {
		return err
	}
	err = q.store.Open(ctx, q.base)
	if err != nil && q.base.bridge() != nil {
		q.store.Fail(err)
		return nil
	}
	return err
}

// Lane returns the deliveries owed to a service.
func (q *Queue) Lane(service string) *Lane {
	l := q.lane(service)
	if eng := q.store.Engine(); eng != nil {
		q.base.serve(l, eng)
	}
	return l
}

// Append stores the records, all or none, and then calls done once, from a
// goroutine of the queue; done must not block, nor append. While much waits to
// be written Append blocks, for 5 seconds at most. After done(nil) they survive a
// power cut. Errors are [ErrFull] and [ErrUnavailable]; after either, sending
// the same records again is safe. [ErrConflict] and, in a cluster, [ErrTooLarge]
// come again each time. Records whose id their service has had
// within the window count as stored.
func (q *Queue) Append(recs []record.Record, done func(error)) {
	if len(recs) == 0 {
		go done(nil)
		return
	}
	q.base.take(&journal.Group{Recs: recs, Done: done})
}

// Write appends the records and waits until they are stored. When ctx ends
// first it returns its error, and they may or may not be stored.
func (q *Queue) Write(ctx context.Context, recs []record.Record) error {
	result := make(chan error, 1)
	q.Append(recs, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Save keeps a small piece of the relay's own state, whole and on disk when it
// returns. The name is of the form [A-Za-z0-9_-]{1,64}.
func (q *Queue) Save(name string, data []byte) error { return q.store.Folder.Save(name, data) }

// Load returns what was saved last under the name, or [ErrNotFound].
func (q *Queue) Load(name string) ([]byte, error) { return q.store.Folder.Load(name) }

// Backup makes a copy of all that a new relay needs, see [archive.Backup].
func (q *Queue) Backup(ctx context.Context, create func(path string) (io.Writer, error)) (Manifest, error) {
	return archive.Backup(ctx, q.store, q.saving.current, create)
}

// Traces returns how many files of the folder hold one of the texts still.
func (q *Queue) Traces(ctx context.Context, texts []string) (int, error) {
	return archive.Traces(ctx, q.store.Folder, texts)
}

// HubState returns how the queue stands with its hub, and whether it has one.
func (q *Queue) HubState() (HubState, bool) {
	if q.hub == nil {
		return HubState{}, false
	}
	return q.hub.State(), true
}

// Examine looks through the queue while it runs.
func (q *Queue) Examine(ctx context.Context, services []string) []doctor.Finding {
	live := doctor.Live{Options: q.store.Options, Folder: q.store.Folder, Engine: q.store.Engine(), Health: q.Health(), Spooled: q.spooling(), Stats: q.Stats()}
	for _, l := range q.store.Lost.List() {
		live.Losses = append(live.Losses, l.String())
	}
	return doctor.Running(ctx, live, services)
}

// Done is closed when the queue is closed.
func (q *Queue) Done() <-chan struct{} { return q.store.Closed }

// Close commits what waits, saves the floors and stops the server. Entries in
// flight are handed out again after the next Open. It is idempotent.
func (q *Queue) Close(ctx context.Context) error {
	q.closeOnce.Do(func() { q.closeErr = q.close(ctx) })
	return q.closeErr
}

func (q *Queue) close(ctx context.Context) error {
	q.store.End()
	err := errors.Join(q.retries.deleteGone(ctx), q.store.Close(func(eng *engine.Engine) error { return q.base.close(ctx, eng) }))
	q.saving.file.Close()
	if err != nil {
		return fmt.Errorf("close queue: %w", err)
	}
	return nil
}
