package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
	"callrelay/queue/spool"
)

const (
	tendInterval  = 250 * time.Millisecond
	openPatience  = 15 * time.Second
	closePatience = 2 * time.Second // for confirmations that are on their way

)

// cluster is the base of relays that share a JetStream cluster. The relays of a
// site pull from the same durable consumers, which remember what is finished;
// one of them, the keeper, has the retries, the services whose calls are
// ordered, and the upkeep of the streams. See [lease].
//
// A connection that breaks is never mended, for what was on its way over it is
// lost: the engine is replaced, as after a write error.
type cluster struct {
	keeper
	shares
	siteCounts

	q       *Queue
	payload payload
	spool   *spool.Spool // nil: nothing is taken while the cluster is away
}

// keeping is since when nobody keeps the site.
type keeping struct {
	eng   *engine.Engine
	since time.Time
}

func newCluster(q *Queue) *cluster {
	c := &cluster{q: q}
	c.keeper.c, c.shares.c, c.siteCounts.c = c, c, c
	c.confirm = engine.InboxPrefix(engine.OwnUser) + "." + engine.NewPassword()[:16]
	return c
}

// load opens the spool, if there shall be one.
func (c *cluster) load(ctx context.Context) (err error) {
	if c.q.store.Options.Spool {
		c.spool, err = spool.Open(ctx, c.q.store, c.seen.Load)
	}
	return err
}

func (c *cluster) take(g *journal.Group) {
	if err := c.payload.fits(g); err != nil {
		go g.Done(err)
		return
	}
	if c.spool != nil {
		c.spool.Take(g)
		return
	}
	c.q.store.TakeSoon(g)
}

// Fall implements [journal.Ground].
func (c *cluster) Fall() {
	if c.spool != nil {
		c.spool.Fall()
	}
}

func (c *cluster) bridge() *spool.Spool { return c.spool }

// Patience is long enough for servers that are being started too, and then for
// them to agree on a leader; else there are others.
func (c *cluster) Patience() (open, start time.Duration) {
	if c.spool != nil {
		return 0, engine.RequestTimeout // it takes events meanwhile
	}
	return openPatience, engine.RequestTimeout
}

// Shape has most servers store what is to last, and know the ids of the window.
func (c *cluster) Shape(streams []jetstream.StreamConfig) []jetstream.StreamConfig {
	for i := range streams {
		s := &streams[i]
		s.Replicas, s.PersistMode = c.q.store.Options.Replicas, jetstream.DefaultPersistMode
		if s.Name == record.Events {
			s.FirstSeq = movedRoom + 1
		}
		if s.Discard == jetstream.DiscardNew {
			s.Duplicates = c.q.store.Options.DedupWindow
		}
	}
	return append(streams, leaseConfig(c.q.store.Options))
}

// serve leaves a lane to its first Next, for its consumer takes a while.
func (s *shares) serve(*Lane, *engine.Engine) {}

// own waits until this relay is the keeper, unless another one is, and until
// what a relay had in hand that was killed comes again, before all that is new.
func (k *keeper) own(ctx context.Context) error {
	for deadline := time.Now().Add(leaseExpiry + leaseHold); !k.keeps(); engine.Pause(ctx, tendInterval) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("site %q is %w", k.c.q.store.Options.Site, record.ErrBusy)
		}
	}
	eng := k.c.q.store.Engine()
	if eng == nil {
		return record.ErrUnavailable
	}
	known, err := eng.Consumers(ctx)
	for _, info := range known {
		if info.NumAckPending > 0 {
			engine.Pause(ctx, k.c.q.store.Options.Seams.AckWait+time.Second)
			break
		}
	}
	return err
}

// settled waits until every acknowledgement is confirmed.
func (s *shares) settled(ctx context.Context) error {
	for deadline := time.Now().Add(engine.RequestTimeout); s.unconfirmed(); engine.Pause(ctx, 5*time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("%w: acknowledgements are not confirmed", record.ErrUnavailable)
		}
	}
	return s.c.q.retries.deleteGone(ctx)
}

func (c *cluster) alone() bool { return false }

func (n *siteCounts) removed(context.Context, *engine.Engine, string) {}

// Start connects to any of the servers.
func (c *cluster) Start(ctx context.Context) (*engine.Engine, error) {
	if c.lease.id == "" {
		if err := c.identify(); err != nil {
			return nil, err
		}
	}
	eng, err := engine.Connect(c.q.store.Options)
	if err != nil {
		return nil, err
	}
	c.payload.max.Store(eng.Pub.MaxPayload())
	_, err = eng.NC.Subscribe(c.confirm+".*.*", c.confirmed)
	if err == nil {
		_, err = eng.NC.Subscribe(eng.Subject(erasedSubject+"*"), c.letGo)
	}
	if err != nil {
		eng.Stop()
		return nil, fmt.Errorf("connect to cluster: %w", err)
	}
	return eng, nil
}

// lost replaces the engine after one of its connections broke.
func (c *cluster) lost(eng *engine.Engine) {
	if c.q.store.Engine() == eng {
		c.q.store.Fail(errors.New("connection to the cluster is lost"))
	}
}

// identify takes the name that this relay has in leases, or makes one. It stays
// with the folder, so that a relay takes up at once what it held when it was
// killed.
func (c *cluster) identify() error {
	id, err := c.q.Load("relay-id")
	if errors.Is(err, record.ErrNotFound) {
		id = []byte(engine.NewPassword()[:16])
		err = c.q.Save("relay-id", id)
	}
	c.lease.id = string(id)
	return err
}

// Recover becomes the keeper if there is none.
func (c *cluster) Recover(ctx context.Context, eng *engine.Engine, first bool) error {
	last, err := eng.LastSeq(ctx, record.Events)
	if err != nil {
		return err
	}
	if c.spool == nil || !c.spool.Bridges() { // else something behind may be in doubt
		c.seen.Store(last)
	}
	names, err := eng.ConsumerNames(ctx)
	eng.Served = names
	if first && err == nil {
		c.takeTurn(ctx, eng)
	}
	return err
}

// Serve leaves each lane to its first use: two hundred consumers take a
// cluster a while, and intake need not wait for them.
func (c *cluster) Serve(ctx context.Context, eng *engine.Engine) error {
	for name := range eng.Served {
		c.q.lane(name)
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		l.pull.feed = feed{average: l.pull.feed.average, waiting: l.pull.feed.waiting, elsewhere: l.pull.feed.elsewhere}
		l.mu.Unlock()
		l.poke()
	}
	return nil
}

// Probe implements [journal.Ground].
func (c *cluster) Probe() error { return nil }

// Lose implements [journal.Ground].
func (c *cluster) Lose(stream string) int { return c.q.lose(stream) }

// run tends what was taken, and the lease, until ctx ends.
func (c *cluster) run(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() {
		c.every(ctx, leaseInterval, func(ctx context.Context, eng *engine.Engine) {
			c.takeTurn(ctx, eng)
			c.watchKeeping(ctx, eng)
		})
	})
	work.Go(func() { c.every(ctx, tendInterval, c.tend) })
	if c.spool != nil {
		work.Go(func() { c.spool.Run(ctx) })
	}
	work.Wait()
}

func (c *cluster) every(ctx context.Context, interval time.Duration, do func(context.Context, *engine.Engine)) {
	for eng := range c.q.store.Engines(ctx, interval) {
		if eng == nil {
			c.expire()
			continue
		}
		if eng.Down() {
			c.lost(eng)
			continue
		}
		do(ctx, eng)
	}
}

// close gives back what is in hand, so that the others have it at once, and the
// lease.
func (c *cluster) close(ctx context.Context, eng *engine.Engine) (err error) {
	defer c.stepDown()
	if c.spool != nil {
		defer func() { err = errors.Join(err, c.spool.Close()) }()
	}
	if eng == nil || eng.Down() {
		return nil
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		if l.pull.feed.sub != nil {
			_ = l.pull.feed.sub.Unsubscribe() // or it would get what is given back
		}
		l.mu.Unlock()
	}
	_ = eng.NC.FlushTimeout(closePatience)
	deadline := time.Now().Add(closePatience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.unconfirmed() && time.Now().Before(deadline) && ctx.Err() == nil {
		<-tick.C
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		for _, e := range l.tally.inHand() {
			c.refuse(eng, e)
		}
		l.mu.Unlock()
	}
	err = eng.NC.FlushTimeout(closePatience)
	c.lease.giveUp(ctx, eng)
	return err
}

// Read asks the leader of the stream, for a follower may not have a record yet.
// That a delivery is gone is believed of a leader that knows of later ones.
func (c *cluster) Read(ctx context.Context, eng *engine.Engine, stream string, seq uint64) (*nats.Msg, error) {
	m, _, err := eng.GetStored(ctx, stream, fmt.Appendf(nil, `{"seq":%d}`, seq))
	if !errors.Is(err, record.ErrNotFound) || stream != record.Retry {
		return m, err
	}
	s, err := eng.Stream(ctx, stream)
	if err != nil || s.CachedInfo().State.LastSeq < seq {
		return nil, fmt.Errorf("%w: read stream %s", record.ErrUnavailable, stream)
	}
	return nil, record.ErrNotFound
}

// Writer implements [journal.Ground].
func (c *cluster) Writer(ctx context.Context, eng *engine.Engine, stream string) (journal.Writer, error) {
	p, err := journal.NewPublisher(ctx, eng, stream)
	if err == nil {
		p.Strict = stream == record.Events && c.spool != nil
	}
	return p, err
}
