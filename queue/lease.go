package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	leaseInterval = time.Second     // how often the lease is renewed, or looked at
	leaseHold     = 4 * time.Second // how long its holder counts on it after a renewal
	leaseExpiry   = 6 * time.Second // how long the others do; longer, so that there are never two
)

// lease is one relay's view of who is the keeper: whoever wrote the last record
// of the stream, until it has not changed for leaseExpiry. The clocks of the
// relays are never compared. It is not safe for concurrent use, but for valid.
type lease struct {
	id     string
	seq    uint64 // of the record
	holder string
	seen   time.Time // when this record was first seen
	until  deadline
}

func leaseConfig(o engine.Options) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: record.Leases, Subjects: []string{"lease.*"}, Storage: jetstream.FileStorage, Replicas: o.Replicas,
		Discard: jetstream.DiscardOld, MaxMsgsPerSubject: 1, MaxBytes: 1 << 20, Duplicates: engine.LostReplyWindow,
	}
}

const leaseSubject = "lease.keeper"

// take renews the lease or takes it when nobody holds it, and reports whether
// this relay has it.
func (l *lease) take(ctx context.Context, eng *engine.Engine) bool {
	now := time.Now()
	if err := l.look(ctx, eng, now); err != nil {
		return l.until.ahead()
	}
	if l.elsewhere(now) {
		l.until.set(time.Time{})
		return false
	}
	if l.write(ctx, eng, l.id) == nil {
		l.until.set(now.Add(leaseHold))
	}
	return l.until.ahead()
}

// elsewhere reports whether another relay renews the lease.
func (l *lease) elsewhere(now time.Time) bool {
	return l.holder != "" && l.holder != l.id && now.Sub(l.seen) < leaseExpiry
}

// look reads the record.
func (l *lease) look(ctx context.Context, eng *engine.Engine, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, leaseHold/2)
	defer cancel()
	m, seq, err := eng.GetStored(ctx, record.Leases, []byte(`{"last_by_subj":"`+eng.Subject(leaseSubject)+`"}`))
	holder := ""
	switch {
	case err == nil:
		holder = string(m.Data)
	case !errors.Is(err, record.ErrNotFound):
		return err
	}
	if seq != l.seq || l.seen.IsZero() {
		l.seq, l.holder, l.seen = seq, holder, now
	}
	return nil
}

// write replaces the record, unless another relay did.
func (l *lease) write(ctx context.Context, eng *engine.Engine, holder string) error {
	ctx, cancel := context.WithTimeout(ctx, leaseHold/2)
	defer cancel()
	ack, err := eng.JS.Publish(ctx, eng.Subject(leaseSubject), []byte(holder), jetstream.WithExpectLastSequencePerSubject(l.seq))
	if err != nil {
		return err
	}
	l.seq, l.holder, l.seen = ack.Sequence, holder, time.Now()
	return nil
}

// giveUp lets another relay take the lease at once.
func (l *lease) giveUp(ctx context.Context, eng *engine.Engine) {
	if l.until.ahead() {
		_ = l.write(ctx, eng, "") // else it expires
	}
	l.until.set(time.Time{})
}
