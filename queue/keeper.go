package queue

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// keeps reports whether this relay is the keeper.
func (c *cluster) keeps() bool { return c.term() != 0 }

func (c *cluster) term() uint64 {
	if !c.lease.until.ahead() {
		return 0
	}
	return c.current.Load()
}

func (c *cluster) stamp(term uint64) string {
	if term == 0 {
		return ""
	}
	return fmt.Sprintf("%s.%d", c.lease.id, term)
}

// takeTurn renews or takes the lease, and does what follows from it.
func (c *cluster) takeTurn(ctx context.Context, eng *engine.Engine) {
	if c.served() != eng {
		c.stepDown()
	}
	if !c.lease.take(ctx, eng) {
		c.stepDown()
		return
	}
	if c.current.Load() != 0 {
		return
	}
	if err := c.stepUp(ctx, eng); err != nil {
		c.q.o.Log.Warn("retries not taken up yet", "err", err)
		c.stepDown()
	}
}

// served is the engine that the current term began with.
func (c *cluster) served() *engine.Engine {
	c.parked.Lock()
	defer c.parked.Unlock()
	return c.engine
}

// expire steps down when the lease ran out while there is no connection.
func (c *cluster) expire() {
	if c.current.Load() != 0 && !c.lease.until.ahead() {
		c.stepDown()
	}
}

// stepUp takes up all that is parked, and from then on what other relays park.
func (c *cluster) stepUp(ctx context.Context, eng *engine.Engine) error {
	c.parked.Lock()
	defer c.parked.Unlock()
	c.engine = eng
	term := c.terms.Add(1)
	last, err := c.takeParked(ctx, eng, term)
	if err != nil {
		return err
	}
	if err := c.followParked(ctx, eng, term, last+1); err != nil {
		return err
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		if l.chains != nil {
			l.formChains()
		}
		l.feed.unsettled = true
		l.mu.Unlock()
	}
	c.current.Store(term)
	for _, l := range c.q.allLanes() {
		l.poke()
	}
	c.q.o.Log.Info("this relay keeps the site's retries", "site", c.q.o.Site)
	return nil
}

// takeParked reads what is parked and returns the last sequence it saw.
func (c *cluster) takeParked(ctx context.Context, eng *engine.Engine, term uint64) (uint64, error) {
	gone := c.q.retries.reset()
	last := uint64(0)
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
	return last, eng.Read(ctx, record.Retry, cfg, func(m *nats.Msg, at record.Place) bool {
		last = at.Seq
		if !gone[at.Seq] {
			c.q.retries.keep(at.Seq)
			l := c.q.lane(record.ServiceOf(m.Subject))
			item := c.q.parkedIn(m, at, term)
			l.mu.Lock()
			l.lot.take(item)
			l.restored = max(l.restored, item.origin)
			l.mu.Unlock()
		}
		return true
	})
}

// followParked has what other relays park come to the lanes.
func (c *cluster) followParked(ctx context.Context, eng *engine.Engine, term, from uint64) error {
	consumer, err := eng.JS.OrderedConsumer(ctx, eng.Name(record.Retry), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, HeadersOnly: true,
	})
	if err != nil {
		return err
	}
	own := c.stamp(term)
	c.follow, err = consumer.Consume(func(m jetstream.Msg) {
		at, ok := record.ParsePlace(m.Reply())
		if ok && m.Headers().Get(record.HeadKeeper) != own {
			c.adopt(&nats.Msg{Subject: m.Subject(), Header: m.Headers()}, at, term)
		}
	})
	return err
}

// adopt takes up a record that another relay parked.
func (c *cluster) adopt(m *nats.Msg, at record.Place, term uint64) {
	item := c.q.parkedIn(m, at, term)
	l := c.q.lane(record.ServiceOf(m.Subject))
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.terms.Load() != term {
		return
	}
	c.q.retries.keep(at.Seq)
	if l.chains == nil || item.call == "" {
		l.lot.push(item)
	} else if chain := l.chainOf(item.call); chain.turns > 0 {
		chain.add(follower{item: item})
	} else {
		chain.turns++
		l.lot.push(item)
	}
	l.poke()
}

// stepDown gives up what only the keeper holds. What is in flight stays in
// flight.
func (c *cluster) stepDown() {
	c.parked.Lock()
	defer c.parked.Unlock()
	if c.engine == nil {
		return
	}
	c.engine = nil
	was := c.current.Swap(0)
	c.terms.Add(1) // nothing more is adopted
	if c.follow != nil {
		c.follow.Stop()
		c.follow = nil
	}
	for _, l := range c.q.allLanes() {
		l.mu.Lock()
		c.surrender(l)
		l.mu.Unlock()
	}
	if was != 0 {
		c.q.o.Log.Info("another relay may keep the site's retries", "site", c.q.o.Site)
	}
}

// surrender empties a lane of what is parked, and of what waits for its turn in
// a call.
func (c *cluster) surrender(l *Lane) {
	eng := c.q.engine.Load()
	l.lot = parkingLot{}
	if l.chains == nil {
		l.ready = slices.DeleteFunc(l.ready, func(e *Entry) bool { return e.item != nil })
		return
	}
	for _, e := range l.inHand() {
		if l.out[e] {
			continue
		}
		l.win.Done(e.Seq)
		if eng != nil {
			c.refuse(eng, e)
		}
	}
	l.fresh, l.ready, l.following = nil, nil, 0
	l.formChains()
	l.feed.unsettled = true
}
