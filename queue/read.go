package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// read passes the stored records that match cfg to visit, oldest first, until
// it returns false. It reads through a consumer of its own, which leaves no
// trace. What is stored after it began is not read.
func (e *engine) read(ctx context.Context, stream string, cfg jetstream.ConsumerConfig, visit func(*nats.Msg, place) bool) error {
	cfg.AckPolicy, cfg.MemoryStorage, cfg.InactiveThreshold = jetstream.AckNonePolicy, true, time.Minute
	c, err := e.js.CreateConsumer(ctx, stream, cfg)
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	name := c.CachedInfo().Name
	defer e.dropConsumer(stream, name)
	sub, err := e.nc.SubscribeSync(e.nc.NewInbox())
	if err != nil {
		return fmt.Errorf("read stream %s: %w", stream, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	subject := "$JS.API.CONSUMER.MSG.NEXT." + stream + "." + name
	left, asked := int(c.CachedInfo().NumPending), 0
	for size := 64; left > 0; {
		if asked <= size/2 && asked < left {
			n := min(size, left-asked)
			if err := e.nc.PublishRequest(subject, sub.Subject, fmt.Appendf(nil, `{"batch":%d,"expires":%d}`, n, requestTimeout)); err != nil {
				return fmt.Errorf("read stream %s: %w", stream, err)
			}
			asked += n
			size = min(size*2, 1024)
		}
		m, err := nextMsg(ctx, sub)
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		at, ok := parsePlace(m.Reply)
		if !ok {
			break // fewer records than there were at the beginning
		}
		left, asked = min(left-1, at.pending), asked-1
		if !visit(m, at) {
			break
		}
	}
	return nil
}

func nextMsg(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// dropConsumer removes a consumer without waiting for it.
func (e *engine) dropConsumer(stream, name string) {
	_ = e.nc.Publish("$JS.API.CONSUMER.DELETE."+stream+"."+name, nil)
}
