package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// keeper has what one relay of a site does for all, while it is that one.
type keeper struct {
	c     *cluster
	lease lease

	terms   atomic.Uint64 // as keeper so far
	current atomic.Uint64 // term; 0: not the keeper
	parked  sync.Mutex    // held while the keeper's parked records are taken up or given up
	follow  jetstream.ConsumeContext
	engine  *engine.Engine // that the current term began with

	watch keeping
}

// keeps reports whether this relay is the keeper.
func (k *keeper) keeps() bool { return k.term() != 0 }

func (k *keeper) term() uint64 {
	if !k.lease.until.ahead() {
		return 0
	}
	return k.current.Load()
}

func (k *keeper) stamp(term uint64) string {
	if term == 0 {
		return ""
	}
	return fmt.Sprintf("%s.%d", k.lease.id, term)
}

// takeTurn renews or takes the lease, and does what follows from it.
func (k *keeper) takeTurn(ctx context.Context, eng *engine.Engine) {
	if k.served() != eng {
		k.stepDown()
	}
	if !k.lease.take(ctx, eng) {
		k.stepDown()
		return
	}
	if k.current.Load() != 0 {
		return
	}
	if err := k.stepUp(ctx, eng); err != nil {
		k.c.q.store.Log.Warn("retries not taken up yet", "err", err)
		k.stepDown()
	}
}

// served is the engine that the current term began with.
func (k *keeper) served() *engine.Engine {
	k.parked.Lock()
	defer k.parked.Unlock()
	return k.engine
}

// expire steps down when the lease ran out while there is no connection.
func (k *keeper) expire() {
	if k.current.Load() != 0 && !k.lease.until.ahead() {
		k.stepDown()
	}
}

// stepUp takes up all that is parked, and from then on what other relays park.
func (k *keeper) stepUp(ctx context.Context, eng *engine.Engine) error {
	k.parked.Lock()
	defer k.parked.Unlock()
	k.engine = eng
	term := k.terms.Add(1)
	last, err := k.takeParked(ctx, eng, term)
	if err != nil {
		return err
	}
	if err := k.followParked(ctx, eng, term, last+1); err != nil {
		return err
	}
	for _, l := range k.c.q.allLanes() {
		l.mu.Lock()
		if l.order.chains != nil {
			l.order.form()
		}
		l.pull.feed.unsettled = true
		l.mu.Unlock()
	}
	k.current.Store(term)
	for _, l := range k.c.q.allLanes() {
		l.poke()
	}
	k.c.q.store.Log.Info("this relay keeps the site's retries", "site", k.c.q.store.Options.Site)
	return nil
}

// takeParked reads what is parked and returns the last sequence it saw.
func (k *keeper) takeParked(ctx context.Context, eng *engine.Engine, term uint64) (uint64, error) {
	gone := k.c.q.retries.reset()
	last := uint64(0)
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
	return last, eng.Read(ctx, record.Retry, cfg, func(m *nats.Msg, at record.Place) bool {
		last = at.Seq
		if !gone[at.Seq] {
			k.c.q.retries.keep(at.Seq)
			l := k.c.q.lane(record.ServiceOf(m.Subject))
			item := k.c.q.parking.read(m, at, term)
			l.mu.Lock()
			l.retrying.lot.take(item)
			l.order.restored = max(l.order.restored, item.origin)
			l.mu.Unlock()
		}
		return true
	})
}

// followParked has what other relays park come to the lanes.
func (k *keeper) followParked(ctx context.Context, eng *engine.Engine, term, from uint64) error {
	consumer, err := eng.JS.OrderedConsumer(ctx, eng.Name(record.Retry), jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, HeadersOnly: true,
	})
	if err != nil {
		return err
	}
	own := k.stamp(term)
	k.follow, err = consumer.Consume(func(m jetstream.Msg) {
		at, ok := record.ParsePlace(m.Reply())
		if ok && m.Headers().Get(record.HeadKeeper) != own {
			k.adopt(&nats.Msg{Subject: m.Subject(), Header: m.Headers()}, at, term)
		}
	})
	return err
}

// adopt takes up a record that another relay parked.
func (k *keeper) adopt(m *nats.Msg, at record.Place, term uint64) {
	item := k.c.q.parking.read(m, at, term)
	l := k.c.q.lane(record.ServiceOf(m.Subject))
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.terms.Load() != term {
		return
	}
	k.c.q.retries.keep(at.Seq)
	if l.order.chains == nil || item.call == "" {
		l.retrying.lot.push(item)
	} else if chain := l.order.of(item.call); chain.turns > 0 {
		chain.add(follower{item: item})
	} else {
		chain.turns++
		l.retrying.lot.push(item)
	}
	l.poke()
}

// stepDown gives up what only the keeper holds. What is in flight stays in
// flight.
func (k *keeper) stepDown() {
	k.parked.Lock()
	defer k.parked.Unlock()
	if k.engine == nil {
		return
	}
	k.engine = nil
	was := k.current.Swap(0)
	k.terms.Add(1) // nothing more is adopted
	if k.follow != nil {
		k.follow.Stop()
		k.follow = nil
	}
	for _, l := range k.c.q.allLanes() {
		l.mu.Lock()
		k.surrender(l)
		l.mu.Unlock()
	}
	if was != 0 {
		k.c.q.store.Log.Info("another relay may keep the site's retries", "site", k.c.q.store.Options.Site)
	}
}

// surrender empties a lane of what is parked, and of what waits for its turn in
// a call.
func (k *keeper) surrender(l *Lane) {
	eng := k.c.q.store.Engine()
	l.retrying.lot = parkingLot{}
	if l.order.chains == nil {
		l.ready = slices.DeleteFunc(l.ready, func(e *Entry) bool { return e.item != nil })
		return
	}
	for _, e := range l.tally.inHand() {
		if l.out[e] {
			continue
		}
		l.win.Done(e.Seq)
		if eng != nil {
			k.c.refuse(eng, e)
		}
	}
	l.fresh, l.ready, l.order.following = nil, nil, 0
	l.order.form()
	l.pull.feed.unsettled = true
}
