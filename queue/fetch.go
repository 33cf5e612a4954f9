package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// makeConsumer creates the consumer and returns how many records it will
// deliver.
func (p *puller) makeConsumer(ctx context.Context, js jetstream.JetStream, start uint64) (int, error) {
	cfg := jetstream.ConsumerConfig{
		Durable:       p.l.name,
		Description:   "deliveries owed to service " + p.l.name,
		FilterSubject: "events." + p.l.name + ".>",
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   start,
		AckPolicy:     jetstream.AckNonePolicy, // the lane decides what is tried again,
		MemoryStorage: true,                    // and its floor is what survives
	}
	c, err := js.CreateConsumer(ctx, record.Events, cfg)
	if errors.Is(err, jetstream.ErrConsumerExists) || err == nil && used(c.CachedInfo()) {
		if err := js.DeleteConsumer(ctx, record.Events, p.l.name); err != nil {
			return 0, err
		}
		c, err = js.CreateConsumer(ctx, record.Events, cfg)
	}
	if err != nil {
		return 0, err
	}
	return int(c.CachedInfo().NumPending), nil
}

// used reports whether a consumer is an earlier one of the same configuration,
// which JetStream takes for the new one: it would not deliver again.
func used(info *jetstream.ConsumerInfo) bool {
	return info.Delivered.Consumer > 0 || info.NumWaiting > 0
}

// request is one call for more records.
type request struct {
	eng      *engine.Engine
	inbox    string
	size     int
	patience time.Duration
}

// fetch asks JetStream for more when few records are left.
func (p *puller) fetch(now time.Time) {
	if eng := p.l.q.store.Engine(); eng != nil {
		p.attachOnce(eng)
	}
	if r, ok := p.want(now); ok {
		p.ask(r)
	}
}

// want says what to ask for, and counts it as on its way.
func (p *puller) want(now time.Time) (request, bool) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	f := &p.feed
	if f.unanswered(now) {
		f.asked = 0
	}
	if f.eng == nil || p.l.order.crowded() || now.Before(f.pausedTo) || !p.l.q.base.wants(p.l) {
		return request{}, false
	}
	switch since := now.Sub(f.last); {
	case since < 100*time.Millisecond:
		f.size = min(f.size*2, p.most())
	case since > time.Second:
		f.size = max(f.size/2, f.least)
	}
	size := min(f.size, p.most())
	if f.recall > 0 {
		size, f.recall = min(f.recall, p.most()), 0
	}
	n := max(min(size, p.l.q.fetchBytes()/int(f.average)), 1)
	f.last, f.expires = now, now.Add(f.patience+fetchGrace)
	f.asked += n
	return request{f.eng, f.sub.Subject, n, f.patience}, true
}

// most is how many records the lane, which is locked, asks for at once at most.
func (p *puller) most() int {
	if p.l.order.chains != nil && !p.l.q.base.alone() {
		return orderedFetch
	}
	return maxFetch
}

func (p *puller) ask(r request) {
	body := make([]byte, 0, 64)
	body = append(body, `{"batch":`...)
	body = strconv.AppendInt(body, int64(r.size), 10)
	body = append(body, `,"expires":`...)
	body = strconv.AppendInt(body, int64(r.patience), 10)
	body = append(body, '}')
	_ = r.eng.NC.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+r.eng.Name(record.Events)+"."+p.l.name, r.inbox, body)
}
