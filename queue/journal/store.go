package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// Store is the streams EVENTS, RETRY and DEAD, what writes them, and the JetStream
// below. It is safe for concurrent use.
type Store struct {
	*Runner
	Clock *Clock
	Lost  *Losses

	Events, Retry, Dead *Committer

	Space     *Space // of EVENTS and RETRY
	DeadSpace *Space
	Pressure  Pressure

	// Moving is held by what removes records or puts them back, and held alone by
	// an erasure and a backup, which must not miss what moves.
	Moving sync.RWMutex
	Closed chan struct{}

	committed sync.WaitGroup // the committers
	stop      chan struct{}  // ends the committers
}

// NewStore opens the folder of a store, which begins with [Store.Open]. It refuses
// one that another relay has open and one that a newer relay has written. Claims
// are those that it shares with another one; nil: its own.
func NewStore(ctx context.Context, o engine.Options, claims *Claims) (*Store, error) {
	o = o.WithDefaults()
	folder, err := engine.OpenFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		Clock: OpenClock(folder, o.Log), Pressure: Pressure{Wake: make(chan struct{}, 1)},
		Lost: openLosses(folder, o.Log), Closed: make(chan struct{}), stop: make(chan struct{}),
	}
	s.Runner = newRunner(ctx, o, folder, s.adopt, s.refuse)
	disk := o.Dir
	if len(o.Servers) > 0 {
		disk = "" // none of this machine
	}
	s.Space, s.DeadSpace = NewSpace(disk, o.MaxBytes), NewSpace(disk, o.DeadMaxBytes)
	s.Events, s.Retry, s.Dead = NewCommitter(record.Events, s.Fail), NewCommitter(record.Retry, s.Fail), NewCommitter(record.Dead, s.Fail)
	if s.Events.Claims = claims; claims == nil {
		s.Events.Claims = NewClaims(o.DedupWindow)
	}
	return s, nil
}

// adopt brings everything into step with what a JetStream has stored.
func (s *Store) adopt(ctx context.Context, eng *engine.Engine, first bool) error {
	if err := engine.EnsureStreams(ctx, eng, s.Backend.Shape(engine.StreamConfigs(s.Options))); err != nil {
		return err
	}
	if err := s.identify(ctx, eng); err != nil {
		return err
	}
	if err := s.Backend.Recover(ctx, eng, first); err != nil {
		return err
	}
	s.engine.Store(eng) // lanes hand out as soon as they are attached
	if err := s.Backend.Serve(ctx, eng); err != nil {
		return err
	}
	var outs [3]Writer
	for i, c := range s.committers() {
		out, err := s.Backend.Writer(ctx, eng, c.Stream)
		if err != nil {
			return err
		}
		outs[i] = out
	}
	for i, c := range s.committers() {
		c.Attach(outs[i])
	}
	return nil
}

// refuse has nothing taken, for a reason.
func (s *Store) refuse(err error) {
	for _, c := range s.committers() {
		c.SetRefuse(err)
	}
}

func (s *Store) committers() [3]*Committer { return [3]*Committer{s.Events, s.Retry, s.Dead} }

// Run starts the committers, and what heals.
func (s *Store) Run() {
	for _, c := range s.committers() {
		s.committed.Go(func() { c.Run(s.stop) })
	}
	s.Background(s.heal)
}

// Take commits a group of EVENTS if there is space.
func (s *Store) Take(g *Group) {
	if err := s.Room(g.Size()); err != nil {
		go g.Done(err)
		return
	}
	s.Events.Add(g)
}

// TakeSoon does so, and waits a while for room first: for commits under way, and
// for what can be given up.
func (s *Store) TakeSoon(g *Group) {
	s.Events.Room()
	s.Pressure.MakeWay(s.Space, g.Size(), s.Closed)
	s.Take(g)
}

// Put stores a group in EVENTS and waits for it.
func (s *Store) Put(ctx context.Context, g *Group) error {
	result := make(chan error, 1)
	g.Done = func(err error) { result <- err }
	s.Take(g)
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Room takes space for so many bytes more of EVENTS and RETRY, or reports
// [record.ErrFull].
func (s *Store) Room(size int64) error { return s.Space.Take(size, time.Now()) }

// Get reads one record of a stream.
func (s *Store) Get(ctx context.Context, stream string, seq uint64) (*nats.Msg, error) {
	eng := s.Engine()
	if eng == nil {
		return nil, record.ErrUnavailable
	}
	return s.Backend.Read(ctx, eng, stream, seq)
}

// Remove runs an operation that deletes from a stream. One that JetStream could
// not store has the store begin anew.
func (s *Store) Remove(ctx context.Context, operate func(context.Context, *engine.Engine) error) error {
	eng := s.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	s.lighten()
	err := operate(context.WithoutCancel(ctx), eng)
	if errors.Is(err, engine.ErrNotDeleted) {
		s.Fail(err)
	}
	return err
}

// lighten drops the folder's ballast when others have left nothing of the disk
// that the reserve does not count.
func (s *Store) lighten() {
	if s.Space.Spent(time.Now()) {
		s.Folder.DropBallast()
	}
}

// Removal tells whether records were removed from a stream.
type Removal struct {
	First   uint64 // sequence that is there
	Deleted int    // above it
}

// Measure asks what the streams hold, and returns how many bytes EVENTS and RETRY
// do, and what was removed from each stream.
func (s *Store) Measure(ctx context.Context, eng *engine.Engine) (int64, map[string]Removal, error) {
	sizes, removed := map[string]int64{}, map[string]Removal{}
	for _, c := range s.committers() {
		stream, err := eng.Stream(ctx, c.Stream)
		if s.watch(c, stream, err); err != nil {
			return 0, nil, err
		}
		state := stream.CachedInfo().State
		sizes[c.Stream], removed[c.Stream] = int64(state.Bytes), Removal{state.FirstSeq, state.NumDeleted}
	}
	bytes := sizes[record.Events] + sizes[record.Retry]
	s.Space.Count(bytes)
	s.DeadSpace.Count(sizes[record.Dead])
	if len(s.Options.Servers) == 0 && !s.Space.Low(time.Now()) {
		s.Folder.LoadBallast()
	}
	return bytes, removed, nil
}

// End commits what waits, and takes no more.
func (s *Store) End() {
	close(s.stop)
	s.committed.Wait()
}

// Close ends the work of the store, does the last of it while the engine still
// runs, and stops that.
func (s *Store) Close(last func(*engine.Engine) error) error {
	close(s.Closed)
	s.finish()
	eng := s.engine.Swap(nil)
	err := last(eng)
	if eng != nil {
		eng.Stop()
	}
	if err == nil && s.Down() == nil { // else what was refused may be in memory alone: see secure
		err = s.Folder.Clean()
	}
	s.Folder.Close()
	return err
}

// Release gives the folder of a store back that did not open.
func (s *Store) Release() {
	s.finish()
	s.Folder.Close()
}

// Health returns nil when the store can take records, and else why not.
func (s *Store) Health() error {
	select {
	case <-s.Closed:
		return fmt.Errorf("%w: closed", record.ErrUnavailable)
	default:
	}
	if err := s.Down(); err != nil {
		return err
	}
	return s.Room(0)
}
