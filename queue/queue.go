package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"callrelay/queue/doctor"
	"callrelay/queue/engine"
	"callrelay/queue/hub"
	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

// Queue is the durable queue. It is safe for concurrent use.
type Queue struct {
	o         engine.Options
	in        inside
	base      base
	folder    *engine.Folder
	floors    *lane.FloorFile // nil in a cluster
	clock     *journal.Clock
	space     *journal.Space // of EVENTS and RETRY
	deadSpace *journal.Space
	pressure  journal.Pressure

	engine  atomic.Pointer[engine.Engine] // nil while the server is down
	loading *loading
	events  *journal.Committer
	retry   *journal.Committer
	dead    *journal.Committer
	retries retries
	logs    *logbook
	hub     *hub.Link // nil without a hub
	cached  statsCache

	buried atomic.Pointer[func(record.Death, []record.Record)]

	// moving is held by what removes records or puts them back, and held alone by
	// an erasure and a backup, which must not miss what moves.
	moving sync.RWMutex

	resending sync.Mutex // held by [Queue.SendAgain]

	lanesMu   sync.Mutex
	lanes     map[string]*Lane
	laneCount atomic.Int64

	stirred chan struct{} // holds a token when the floors moved
	saving  sync.Mutex    // held while they are written

	downMu sync.Mutex
	down   error // why nothing can be written now
	broken chan struct{}
	unkept atomic.Bool // nobody keeps the site; used in a cluster

	failedAgain error // since a restart began

	lossMu sync.Mutex
	losses []Loss

	ctx       context.Context // of the goroutines; ended by Close
	cancel    context.CancelFunc
	work      sync.WaitGroup
	committed sync.WaitGroup // the committers
	stop      chan struct{}  // ends the committers
	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error
}

// Open opens the queue in o.Dir, or makes it there, and returns when it can
// take records. It refuses a folder that another relay has open and one that a
// newer relay has written.
func Open(ctx context.Context, o engine.Options) (*Queue, error) { return openAs(ctx, o, inside{}) }

// inside is what a queue is for that another one has opened.
type inside struct {
	claims   *journal.Claims // shared with that one; nil: its own
	unserved bool            // see the base of that name
}

func openAs(ctx context.Context, o engine.Options, in inside) (*Queue, error) {
	o = o.WithDefaults()
	folder, err := engine.OpenFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	q := &Queue{o: o, in: in, folder: folder, lanes: map[string]*Lane{}, broken: make(chan struct{}, 1), stirred: make(chan struct{}, 1), stop: make(chan struct{}), closed: make(chan struct{})}
	q.pressure.Wake = make(chan struct{}, 1)
	q.clock = journal.OpenClock(folder, o.Log)
	if err := q.folder.LoadJSON(lossState, &q.losses); err != nil {
		o.Log.Warn("what was lost before is not known", "err", err)
	}
	q.base = newBase(q)
	q.space, q.deadSpace = journal.NewSpace(q.base.disk(), o.MaxBytes), journal.NewSpace(q.base.disk(), o.DeadMaxBytes)
	q.ctx, q.cancel = context.WithCancel(context.WithoutCancel(ctx))
	q.retries.wake = make(chan struct{}, 1)
	q.logs = newLogbook(q)
	q.events = journal.NewCommitter(record.Events, q.fail)
	q.events.OnStored = q.base.stored
	if q.events.Claims = in.claims; in.claims == nil {
		q.events.Claims = journal.NewClaims(o.DedupWindow)
	}
	q.retry = journal.NewCommitter(record.Retry, q.fail)
	q.retry.OnStored = func(_ *record.Record, seq uint64) { q.retries.stored(seq) }
	q.loading = newLoading(q)
	q.dead = journal.NewCommitter(record.Dead, q.fail)
	if err := q.base.load(ctx); err != nil {
		folder.Close()
		return nil, err
	}
	if o.Hub != nil {
		shown := hub.Shown{Engine: q.engine.Load, Health: q.Health, Stats: q.Stats, Replay: q.Replay}
		if q.hub, err = hub.NewLink(folder, *o.Hub, o.Log, shown); err != nil {
			q.release()
			return nil, err
		}
	}
	if err := q.firstStart(ctx); err != nil {
		if q.base.bridge() == nil {
			q.cancel()
			q.release()
			return nil, fmt.Errorf("open queue %s: %w", o.Dir, err)
		}
		q.fail(err)
	}
	q.run()
	return q, nil
}

// firstStart starts, and has some patience with servers that are being started
// too.
func (q *Queue) firstStart(ctx context.Context) error {
	began := time.Now()
	patience, _ := q.base.patience()
	for {
		err := q.start(ctx, true)
		if err == nil || time.Since(began) >= patience || ctx.Err() != nil {
			return err
		}
		q.o.Log.Warn("cluster not ready yet", "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(probeInterval):
		}
	}
}

// start starts the server and brings everything into step with what it has
// stored. It runs at Open, and again after a write error is over.
func (q *Queue) start(ctx context.Context, first bool) error {
	eng, err := q.base.start(ctx)
	if err != nil {
		return err
	}
	if err := q.adopt(ctx, eng, first); err != nil {
		q.engine.Store(nil)
		eng.Stop()
		return err
	}
	return nil
}

func (q *Queue) adopt(ctx context.Context, eng *engine.Engine, first bool) error {
	if err := engine.EnsureStreams(ctx, eng, q.base.shape(engine.StreamConfigs(q.o))); err != nil {
		return err
	}
	if err := q.identify(ctx, eng); err != nil {
		return err
	}
	if err := q.base.recover(ctx, eng, first); err != nil {
		return err
	}
	q.engine.Store(eng) // lanes hand out as soon as they are attached
	if err := q.base.attachAll(ctx, eng); err != nil {
		return err
	}
	var outs [3]journal.Writer
	for i, c := range q.committers() {
		out, err := q.base.writer(ctx, eng, c.Stream)
		if err != nil {
			return err
		}
		outs[i] = out
	}
	for i, c := range q.committers() {
		c.Attach(outs[i])
	}
	return nil
}

func (q *Queue) committers() [3]*journal.Committer {
	return [3]*journal.Committer{q.events, q.retry, q.dead}
}

// run starts the goroutines.
func (q *Queue) run() {
	for _, c := range q.committers() {
		q.committed.Go(func() { c.Run(q.stop) })
	}
	for _, part := range []func(context.Context){q.base.run, q.sweepRetry, q.logs.run, q.heal, q.maintain, q.watchLanes} {
		q.background(part)
	}
	if q.hub != nil {
		q.background(q.hub.Run)
	}
}

// background runs part until it returns or the queue closes.
func (q *Queue) background(part func(context.Context)) {
	q.work.Go(func() { part(q.ctx) })
}

// attachLanes attaches a lane for every service that has records, or had.
func (q *Queue) attachLanes(ctx context.Context, eng *engine.Engine) error {
	counts, err := eng.SubjectCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	for subject := range counts {
		if service := record.ServiceOf(subject); service != markService {
			q.lane(service)
		}
	}
	last, err := eng.LastSeq(ctx, record.Events)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, l := range q.allLanes() {
		g.Go(func() error { return l.attachAt(ctx, eng, last) })
	}
	return g.Wait()
}

// Lane returns the deliveries owed to a service.
func (q *Queue) Lane(service string) *Lane {
	l := q.lane(service)
	if eng := q.engine.Load(); eng != nil {
		q.base.serve(l, eng)
	}
	return l
}

// lane returns the lane of a service, which may not be attached yet.
func (q *Queue) lane(service string) *Lane {
	q.lanesMu.Lock()
	defer q.lanesMu.Unlock()
	l := q.lanes[service]
	if l == nil {
		l = newLane(q, service)
		q.lanes[service] = l
		q.laneCount.Add(1)
	}
	return l
}

func (q *Queue) allLanes() []*Lane {
	q.lanesMu.Lock()
	defer q.lanesMu.Unlock()
	lanes := make([]*Lane, 0, len(q.lanes))
	for _, l := range q.lanes {
		lanes = append(lanes, l)
	}
	return lanes
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

// take commits a group if there is space.
func (q *Queue) take(g *journal.Group) {
	if err := q.room(g.Size()); err != nil {
		go g.Done(err)
		return
	}
	q.events.Add(g)
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
func (q *Queue) Save(name string, data []byte) error { return q.folder.Save(name, data) }

// Load returns what was saved last under the name, or [ErrNotFound].
func (q *Queue) Load(name string) ([]byte, error) { return q.folder.Load(name) }

// HubState returns how the queue stands with its hub, and whether it has one.
func (q *Queue) HubState() (HubState, bool) {
	if q.hub == nil {
		return HubState{}, false
	}
	return q.hub.State(), true
}

// Examine looks through the queue while it runs.
func (q *Queue) Examine(ctx context.Context, services []string) []doctor.Finding {
	live := doctor.Live{Options: q.o, Folder: q.folder, Engine: q.engine.Load(), Health: q.Health(), Spooled: q.spooling(), Stats: q.Stats()}
	for _, l := range q.Losses() {
		live.Losses = append(live.Losses, l.String())
	}
	return doctor.Running(ctx, live, services)
}

// Done is closed when the queue is closed.
func (q *Queue) Done() <-chan struct{} { return q.closed }

// Close commits what waits, saves the floors and stops the server. Entries in
// flight are handed out again after the next Open. It is idempotent.
func (q *Queue) Close(ctx context.Context) error {
	q.closeOnce.Do(func() { q.closeErr = q.close(ctx) })
	return q.closeErr
}

func (q *Queue) close(ctx context.Context) error {
	close(q.stop)
	q.committed.Wait()
	err := q.deleteGone(ctx)
	close(q.closed)
	q.cancel()
	q.work.Wait()
	eng := q.engine.Swap(nil)
	saved := q.base.close(ctx, eng)
	if eng != nil {
		eng.Stop()
	}
	if saved == nil && q.downErr() == nil { // else what was refused may be in memory alone: see secure
		saved = q.folder.Clean()
	}
	err = errors.Join(err, saved)
	q.release()
	if err != nil {
		return fmt.Errorf("close queue: %w", err)
	}
	return nil
}

// release gives the folder back.
func (q *Queue) release() {
	if q.floors != nil {
		q.floors.Close()
	}
	q.folder.Close()
}
