package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

const (
	dialTimeout   = 2 * time.Second
	pingInterval  = 2 * time.Second // a server that does not answer two of these is left
	tendInterval  = 250 * time.Millisecond
	openPatience  = 15 * time.Second
	closePatience = 2 * time.Second // for confirmations that are on their way

	codeNoMessage = 10037 // JetStream's error for a record that is not there
)

// cluster is the base of relays that share a JetStream cluster. The relays of a
// site pull from the same durable consumers, which remember what is finished;
// one of them, the keeper, has the retries, the services whose calls are
// ordered, and the upkeep of the streams. See [lease].
//
// A connection that breaks is never mended, for what was on its way over it is
// lost: the engine is replaced, as after a write error.
type cluster struct {
	q     *Queue
	lease lease

	payload payload

	spool *spool        // nil: nothing is taken while the cluster is away
	seen  atomic.Uint64 // a sequence of EVENTS: what is sent from now on lies behind it

	terms   atomic.Uint64 // as keeper so far
	current atomic.Uint64 // term; 0: not the keeper
	parked  sync.Mutex    // held while the keeper's parked records are taken up or given up
	follow  jetstream.ConsumeContext
	engine  *engine // that the current term began with

	watch keeping
}

// keeping is since when nobody keeps the site.
type keeping struct {
	eng   *engine
	since time.Time
}

func newCluster(q *Queue) *cluster { return &cluster{q: q} }

// load opens the spool, if there shall be one.
func (c *cluster) load(ctx context.Context) (err error) {
	if c.q.o.Spool {
		c.spool, err = openSpool(ctx, c)
	}
	return err
}

func (c *cluster) take(g *group) {
	if err := c.payload.fits(g); err != nil {
		go g.done(err)
		return
	}
	if c.spool != nil {
		c.spool.take(g)
		return
	}
	c.q.events.room()
	c.q.makeWay(g.size())
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
		return 0, requestTimeout // it takes events meanwhile
	}
	return openPatience, requestTimeout
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
func (c *cluster) serve(*Lane, *engine) {}

// own waits until this relay is the keeper, unless another one is, and until
// what a relay had in hand that was killed comes again, before all that is new.
func (c *cluster) own(ctx context.Context) error {
	for deadline := time.Now().Add(leaseExpiry + leaseHold); !c.keeps(); pause(ctx, tendInterval) {
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
	known, err := eng.consumers(ctx)
	for _, info := range known {
		if info.NumAckPending > 0 {
			pause(ctx, c.q.o.ackWait+time.Second)
			break
		}
	}
	return err
}

// settled waits until every acknowledgement is confirmed.
func (c *cluster) settled(ctx context.Context) error {
	for deadline := time.Now().Add(requestTimeout); c.unconfirmed(); pause(ctx, 5*time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return fmt.Errorf("%w: acknowledgements are not confirmed", record.ErrUnavailable)
		}
	}
	return c.q.deleteGone(ctx)
}

func (c *cluster) disk() string { return "" }
func (c *cluster) alone() bool  { return false }

func (c *cluster) removed(context.Context, *engine, string) {}

// start connects to any of the servers.
func (c *cluster) start(ctx context.Context) (*engine, error) {
	if c.lease.id == "" {
		if err := c.identify(); err != nil {
			return nil, err
		}
	}
	eng, err := connectCluster(c.q.o)
	if err != nil {
		return nil, err
	}
	c.payload.max.Store(eng.pub.MaxPayload())
	eng.confirm = eng.nc.NewInbox()
	_, err = eng.nc.Subscribe(eng.confirm+".*.*", c.confirmed)
	if err == nil {
		_, err = eng.nc.Subscribe(eng.subject(erasedSubject+"*"), c.letGo)
	}
	if err != nil {
		eng.stop()
		return nil, fmt.Errorf("connect to cluster: %w", err)
	}
	return eng, nil
}

func connectCluster(o Options) (*engine, error) {
	eng := &engine{site: o.Site}
	options := []nats.Option{
		nats.Name("relay"), nats.NoReconnect(), nats.Timeout(dialTimeout),
		nats.PingInterval(pingInterval), nats.MaxPingsOutstanding(2), nats.CustomInboxPrefix(inboxPrefix(ownUser)),
	}
	if o.TLS != nil {
		secure, err := o.TLS()
		if err != nil {
			return nil, fmt.Errorf("connect to cluster: %w", err)
		}
		options = append(options, nats.Secure(secure))
	}
	options = append(options, credentials(o.Credentials)...)
	if err := eng.dial(strings.Join(o.Servers, ","), options...); err != nil {
		eng.stop()
		return nil, fmt.Errorf("%w: connect to cluster: %w", record.ErrUnavailable, err)
	}
	return eng, nil
}

// lost replaces the engine after one of its connections broke.
func (c *cluster) lost(eng *engine) {
	if c.q.engine.Load() == eng {
		c.q.fail(errors.New("connection to the cluster is lost"))
	}
}

// credentials reads what the cluster asks for.
func credentials(text string) []nats.Option {
	user, password, pair := strings.Cut(strings.TrimSpace(text), ":")
	switch {
	case text == "":
		return nil
	case strings.Contains(text, "BEGIN NATS USER JWT"):
		return []nats.Option{nats.UserCredentialBytes([]byte(text))}
	case pair:
		return []nats.Option{nats.UserInfo(user, password)}
	}
	return []nats.Option{nats.Token(strings.TrimSpace(text))}
}

// identify takes the name that this relay has in leases, or makes one. It stays
// with the folder, so that a relay takes up at once what it held when it was
// killed.
func (c *cluster) identify() error {
	id, err := c.q.Load("relay-id")
	if errors.Is(err, record.ErrNotFound) {
		id = []byte(newPassword()[:16])
		err = c.q.Save("relay-id", id)
	}
	c.lease.id = string(id)
	return err
}

// recover becomes the keeper if there is none.
func (c *cluster) recover(ctx context.Context, eng *engine, first bool) error {
	last, err := eng.lastSeq(ctx, record.Events)
	if err != nil {
		return err
	}
	if c.spool == nil || !c.spool.bridges() { // else something behind may be in doubt
		c.seen.Store(last)
	}
	names, err := eng.consumerNames(ctx)
	eng.known = names
	if first && err == nil {
		c.takeTurn(ctx, eng)
	}
	return err
}

// attachAll leaves each lane to its first use: two hundred consumers take a
// cluster a while, and intake need not wait for them.
func (c *cluster) attachAll(ctx context.Context, eng *engine) error {
	for name := range eng.known {
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
		c.every(ctx, leaseInterval, func(ctx context.Context, eng *engine) {
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

func (c *cluster) every(ctx context.Context, interval time.Duration, do func(context.Context, *engine)) {
	for eng := range c.q.engines(ctx, interval) {
		if eng == nil {
			c.expire()
			continue
		}
		if eng.down() {
			c.lost(eng)
			continue
		}
		do(ctx, eng)
	}
}

// down reports whether a connection is closed.
func (e *engine) down() bool { return e.nc.IsClosed() || e.pub.IsClosed() || e.log.IsClosed() }

// close gives back what is in hand, so that the others have it at once, and the
// lease.
func (c *cluster) close(ctx context.Context, eng *engine) (err error) {
	defer c.stepDown()
	if c.spool != nil {
		defer func() { err = errors.Join(err, c.spool.close(ctx)) }()
	}
	if eng == nil || eng.down() {
		return nil
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		if l.feed.sub != nil {
			_ = l.feed.sub.Unsubscribe() // or it would get what is given back
		}
		l.mu.Unlock()
	}
	_ = eng.nc.FlushTimeout(closePatience)
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
	err = eng.nc.FlushTimeout(closePatience)
	c.lease.giveUp(ctx, eng)
	return err
}

// read asks the leader of the stream, for a follower may not have a record yet.
// That a delivery is gone is believed of a leader that knows of later ones.
func (c *cluster) read(ctx context.Context, eng *engine, stream string, seq uint64) (*nats.Msg, error) {
	m, _, err := eng.getStored(ctx, stream, fmt.Appendf(nil, `{"seq":%d}`, seq))
	if !errors.Is(err, record.ErrNotFound) || stream != record.Retry {
		return m, err
	}
	s, err := eng.stream(ctx, stream)
	if err != nil || s.CachedInfo().State.LastSeq < seq {
		return nil, fmt.Errorf("%w: read stream %s", record.ErrUnavailable, stream)
	}
	return nil, record.ErrNotFound
}

// getStored reads one record from the leader of its stream.
func (e *engine) getStored(ctx context.Context, stream string, request []byte) (*nats.Msg, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := e.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+e.name(stream), request)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: read stream %s: %w", record.ErrUnavailable, stream, err)
	}
	var found struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Subject string `json:"subject"`
			Seq     uint64 `json:"seq"`
			Headers []byte `json:"hdrs"`
			Data    []byte `json:"data"`
			Time    string `json:"time"`
		} `json:"message"`
	}
	err = json.Unmarshal(answer.Data, &found)
	switch {
	case err != nil:
		return nil, 0, err
	case found.Error != nil && found.Error.ErrorCode == codeNoMessage:
		return nil, 0, record.ErrNotFound
	case found.Error != nil:
		return nil, 0, fmt.Errorf("%w: read stream %s: %s", record.ErrUnavailable, stream, found.Error.Description)
	}
	m := &nats.Msg{Subject: found.Message.Subject, Data: found.Message.Data, Header: nats.Header{}}
	if len(found.Message.Headers) > 0 {
		if m.Header, err = nats.DecodeHeadersMsg(found.Message.Headers); err != nil {
			return nil, 0, err
		}
	}
	m.Header.Set("Nats-Time-Stamp", found.Message.Time)
	return m, found.Message.Seq, nil
}

func (c *cluster) writer(ctx context.Context, eng *engine, stream string) (writer, error) {
	p, err := newPublisher(ctx, eng, stream)
	if err == nil {
		p.strict = stream == record.Events && c.spool != nil
	}
	return p, err
}
