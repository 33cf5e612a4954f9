package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
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
	q       *Queue
	lease   lease
	confirm string // where acknowledgements are confirmed

	payload payload

	spool *spool        // nil: nothing is taken while the cluster is away
	seen  atomic.Uint64 // a sequence of EVENTS: what is sent from now on lies behind it

	terms   atomic.Uint64 // as keeper so far
	current atomic.Uint64 // term; 0: not the keeper
	parked  sync.Mutex    // held while the keeper's parked records are taken up or given up
	follow  jetstream.ConsumeContext
	engine  *engine.Engine // that the current term began with

	watch keeping
}

// keeping is since when nobody keeps the site.
type keeping struct {
	eng   *engine.Engine
	since time.Time
}

func newCluster(q *Queue) *cluster {
	return &cluster{q: q, confirm: engine.InboxPrefix(engine.OwnUser) + "." + engine.NewPassword()[:16]}
}

// load opens the spool, if there shall be one.
func (c *cluster) load(ctx context.Context) (err error) {
	if c.q.o.Spool {
		c.spool, err = openSpool(ctx, c)
	}
	return err
}

func (c *cluster) take(g *journal.Group) {
	if err := c.payload.fits(g); err != nil {
		go g.Done(err)
		return
	}
	if c.spool != nil {
		c.spool.take(g)
		return
	}
	c.q.events.Room()
	c.q.pressure.MakeWay(c.q.space, g.Size(), c.q.closed)
	c.q.take(g)
}

func (c *cluster) fall() {
	if c.spool != nil {
		c.spool.fall()
	}
}

func (c *cluster) bridge() *spool { return c.spool }

// patience is long enough for servers that are being started too, and then for
// them to agree on a leader; else there are others.
func (c *cluster) patience() (open, start time.Duration) {
	if c.spool != nil {
		return 0, engine.RequestTimeout // it takes events meanwhile
	}
	return openPatience, engine.RequestTimeout
}

// shape has most servers store what is to last, and know the ids of the window.
func (c *cluster) shape(streams []jetstream.StreamConfig) []jetstream.StreamConfig {
	for i := range streams {
		s := &streams[i]
		s.Replicas, s.PersistMode = c.q.o.Replicas, jetstream.DefaultPersistMode
		if s.Name == record.Events {
			s.FirstSeq = movedRoom + 1
		}
		if s.Discard == jetstream.DiscardNew {
			s.Duplicates = c.q.o.DedupWindow
		}
	}
	return append(streams, leaseConfig(c.q.o))
}

// serve leaves a lane to its first Next, for its consumer takes a while.
func (c *cluster) serve(*Lane, *engine.Engine) {}

// own waits until this relay is the keeper, unless another one is, and until
// what a relay had in hand that was killed comes again, before all that is new.
func (c *cluster) own(ctx context.Context) error {
	for deadline := time.Now().Add(leaseExpiry + leaseHold); !c.keeps(); engine.Pause(ctx, tendInterval) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("site %q is %w", c.q.o.Site, record.ErrBusy)
		}
	}
	eng := c.q.engine.Load()
	if eng == nil {
		return record.ErrUnavailable
	}
	known, err := eng.Consumers(ctx)
	for _, info := range known {
		if info.NumAckPending > 0 {
			engine.Pause(ctx, c.q.o.Seams.AckWait+time.Second)
			break
		}
	}
	return err
}

// settled waits until every acknowledgement is confirmed.
func (c *cluster) settled(ctx context.Context) error {
	for deadline := time.Now().Add(engine.RequestTimeout); c.unconfirmed(); engine.Pause(ctx, 5*time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("%w: acknowledgements are not confirmed", record.ErrUnavailable)
		}
	}
	return c.q.deleteGone(ctx)
}

func (c *cluster) disk() string { return "" }
func (c *cluster) alone() bool  { return false }

func (c *cluster) removed(context.Context, *engine.Engine, string) {}

// start connects to any of the servers.
func (c *cluster) start(ctx context.Context) (*engine.Engine, error) {
	if c.lease.id == "" {
		if err := c.identify(); err != nil {
			return nil, err
		}
	}
	eng, err := engine.Connect(c.q.o)
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
	if c.q.engine.Load() == eng {
		c.q.fail(errors.New("connection to the cluster is lost"))
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

// recover becomes the keeper if there is none.
func (c *cluster) recover(ctx context.Context, eng *engine.Engine, first bool) error {
	last, err := eng.LastSeq(ctx, record.Events)
	if err != nil {
		return err
	}
	if c.spool == nil || !c.spool.bridges() { // else something behind may be in doubt
		c.seen.Store(last)
	}
	names, err := eng.ConsumerNames(ctx)
	eng.Served = names
	if first && err == nil {
		c.takeTurn(ctx, eng)
	}
	return err
}

// attachAll leaves each lane to its first use: two hundred consumers take a
// cluster a while, and intake need not wait for them.
func (c *cluster) attachAll(ctx context.Context, eng *engine.Engine) error {
	for name := range eng.Served {
		c.q.lane(name)
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		l.feed = feed{average: l.feed.average, waiting: l.feed.waiting, elsewhere: l.feed.elsewhere}
		l.mu.Unlock()
		l.poke()
	}
	return nil
}

func (c *cluster) probe() error { return nil }

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
		work.Go(func() { c.spool.run(ctx) })
	}
	work.Wait()
}

func (c *cluster) every(ctx context.Context, interval time.Duration, do func(context.Context, *engine.Engine)) {
	for eng := range c.q.engines(ctx, interval) {
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
		defer func() { err = errors.Join(err, c.spool.close(ctx)) }()
	}
	if eng == nil || eng.Down() {
		return nil
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		if l.feed.sub != nil {
			_ = l.feed.sub.Unsubscribe() // or it would get what is given back
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
		for _, e := range l.inHand() {
			c.refuse(eng, e)
		}
		l.mu.Unlock()
	}
	err = eng.NC.FlushTimeout(closePatience)
	c.lease.giveUp(ctx, eng)
	return err
}

// read asks the leader of the stream, for a follower may not have a record yet.
// That a delivery is gone is believed of a leader that knows of later ones.
func (c *cluster) read(ctx context.Context, eng *engine.Engine, stream string, seq uint64) (*nats.Msg, error) {
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

func (c *cluster) writer(ctx context.Context, eng *engine.Engine, stream string) (journal.Writer, error) {
	p, err := journal.NewPublisher(ctx, eng, stream)
	if err == nil {
		p.Strict = stream == record.Events && c.spool != nil
	}
	return p, err
}
