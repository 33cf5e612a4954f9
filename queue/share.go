package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	sharedFetchLeast = 4               // records a relay takes in advance, for the others want some too
	sharedPending    = 4096            // records of one service in the hands of all relays
	sharedPatience   = 4 * time.Second // a request is lost with its server, so it is short-lived
	progressInterval = 3 * time.Second // how often JetStream is told of what takes longer
)

// shares are the lanes whose records several relays hand out.
type shares struct {
	c       *cluster
	confirm string // where acknowledgements are confirmed
}

// attach makes the durable consumer that the relays of the site share. What the
// lane holds is kept: it is still its own to finish.
func (s *shares) attach(ctx context.Context, l *Lane, eng *engine.Engine) error {
	cfg := jetstream.ConsumerConfig{
		Durable:       l.name,
		Description:   "deliveries owed to service " + l.name,
		FilterSubject: eng.Subject("events." + l.name + ".>"),
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       s.c.q.store.Options.Seams.AckWait,
		MaxDeliver:    -1,
		MaxAckPending: sharedPending,
	}
	pending := 0
	if !eng.Served[l.name] || l.pull.attachedTo(eng) { // or it was, and is gone
		consumer, err := eng.JS.CreateOrUpdateConsumer(ctx, eng.Name(record.Events), cfg)
		if err != nil {
			return fmt.Errorf("attach lane %s: %w", l.name, err)
		}
		pending = int(consumer.CachedInfo().NumPending)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	sub := l.pull.feed.sub
	if l.pull.feed.eng != eng {
		var err error
		if sub, err = eng.NC.Subscribe(eng.NC.NewInbox(), l.pull.arrive); err != nil {
			return fmt.Errorf("attach lane %s: %w", l.name, err)
		}
	}
	l.pull.attached(feed{
		eng: eng, sub: sub, least: sharedFetchLeast, patience: sharedPatience,
		waiting: max(pending, l.pull.feed.waiting), elsewhere: l.pull.feed.elsewhere, unsettled: true,
	})
	l.poke()
	return nil
}

func (p *puller) attachedTo(eng *engine.Engine) bool {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	return p.feed.eng == eng || p.feed.renew
}

// feeds leaves a service whose calls are ordered to the keeper.
func (s *shares) feeds(l *Lane) bool { return l.order.chains == nil || s.c.keeps() }

// wants asks ahead a little. An ordered lane that does not know whether it has
// all of the past asks for what is missing of that, and for nothing else: newer
// records would fill it, and what is missing comes only to who asks.
func (s *shares) wants(l *Lane) bool {
	f := &l.pull.feed
	if l.order.chains != nil && f.unsettled {
		return s.c.keeps() && f.asked == 0 && f.recall > 0
	}
	return s.feeds(l) && len(l.fresh)+f.asked <= f.size/2
}

func (s *shares) open(l *Lane) bool {
	return l.order.chains == nil || s.c.keeps() && l.pull.feed.eng != nil && !l.pull.feed.unsettled
}

// accept takes an entry. Whatever was not confirmed as acknowledged, here or at
// another relay, may come again, in any order.
func (s *shares) accept(l *Lane, e *Entry, at record.Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.poke()
	f := &l.pull.feed
	e.era = l.era
	f.asked = max(f.asked-1, 0)
	f.average = (f.average*7 + record.SizeOf(&e.Record)) / 8
	f.waiting, f.arrived = at.Pending, max(f.arrived, e.Seq)
	if at.Nth != f.nth+1 {
		f.unsettled = true // one was lost on its way, and an earlier one it may be
	}
	f.nth = at.Nth
	if l.acks.has(e.Seq) || l.eraser.erasing.has(e) || l.retrying.lot.tookOver(e) {
		_ = f.eng.NC.Publish(e.ack, nil)
		return
	}
	if !s.feeds(l) {
		s.refuse(f.eng, e)
		return
	}
	if l.win.Hold(e.Seq) {
		e.touched = time.Now()
		place, _ := slices.BinarySearchFunc(l.fresh, e, bySeq)
		l.fresh = slices.Insert(l.fresh, place, e)
	}
}

// refuse lets JetStream deliver an entry again now.
func (s *shares) refuse(eng *engine.Engine, e *Entry) { _ = eng.NC.Publish(e.ack, []byte("-NAK")) }

// settle acknowledges an entry, again and again until the cluster has confirmed
// it: an acknowledgement that got lost would repeat the delivery.
func (s *shares) settle(l *Lane, e *Entry) {
	l.acks.add(e.Seq, e.ack)
	if eng := s.c.q.store.Engine(); eng != nil {
		sendAck(eng, s.confirm, e.ack, l.name, e.Seq)
	}
}

// tend tells JetStream what is still being worked on, and repeats what it has
// not confirmed.
func (s *shares) tend(ctx context.Context, eng *engine.Engine) {
	now := time.Now()
	for _, l := range s.c.q.allLanes() {
		l.mu.Lock()
		for _, e := range l.tally.inHand() {
			if now.Sub(e.touched) > progressInterval {
				e.touched = now
				_ = eng.NC.Publish(e.ack, []byte("+WPI"))
			}
		}
		l.acks.repeat(eng, s.confirm, l.name, now)
		check := l.order.chains != nil && l.pull.feed.unsettled && l.pull.feed.eng == eng && s.c.keeps()
		l.mu.Unlock()
		if check {
			s.settleLane(ctx, eng, l)
		}
	}
}

// inHand returns the entries of EVENTS that the lane, which is locked, holds, in
// order.
func (t *tally) inHand() []*Entry {
	var held []*Entry
	keep := func(e *Entry) {
		if e != nil && e.item == nil {
			held = append(held, e)
		}
	}
	for e := range t.l.out {
		keep(e)
	}
	for _, e := range t.l.ready {
		keep(e)
	}
	for _, e := range t.l.fresh {
		keep(e)
	}
	for _, chain := range t.l.order.chains {
		for _, f := range chain.followers {
			keep(f.entry)
		}
	}
	slices.SortFunc(held, bySeq)
	return held
}

// settleLane lets an ordered lane hand out what it has, once that is all that
// JetStream counts as delivered and not acknowledged: then nothing earlier can
// come any more. What another relay had in hand when it died comes after
// [DefaultAckWait].
func (s *shares) settleLane(ctx context.Context, eng *engine.Engine, l *Lane) {
	held, before := l.pull.standing()
	info, err := eng.Consumer(ctx, l.name)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now, after := l.pull.standingLocked(); now != held || before != after {
		return
	}
	// JetStream sends what is missing before all that is new, once it is due; a
	// request for one finds out whether it is.
	f, missing := &l.pull.feed, max(info.NumAckPending-held, 0)
	f.recall = min(missing, 1)
	if missing < f.missing {
		f.recall = missing
	}
	f.missing, f.unsettled = missing, missing > 0
	l.poke()
}

// standing is what must not move while JetStream is asked: how many entries the
// lane holds, and the number of the delivery that came last.
func (p *puller) standing() (held int, number uint64) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	return p.standingLocked()
}

func (p *puller) standingLocked() (held int, number uint64) { return p.l.win.Open, p.feed.nth }
