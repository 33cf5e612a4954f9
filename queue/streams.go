package queue

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

const (
	attemptsMaxBytes = 256 << 20
	debugMaxBytes    = 128 << 20

	// lostReplyWindow is JetStream's own memory of ids, the least there can be:
	// this package remembers ids itself, see [recent] and [idOf].
	lostReplyWindow = 100 * time.Millisecond

	requestTimeout = 5 * time.Second
	createTimeout  = 2 * requestTimeout // of a stream, which a cluster has to place
)

// streamConfigs returns the streams as they shall be. Their limits come from
// the options, all else is fixed. JetStream's own limits are a little beyond
// those that the relay keeps by itself, see [space].
func streamConfigs(o Options) []jetstream.StreamConfig {
	kept := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		AllowDirect: true, Duplicates: lostReplyWindow, AllowAtomicPublish: true,
	}
	shown := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		AllowDirect: true, PersistMode: jetstream.AsyncPersistMode, MaxAge: o.AttemptsKeep, Duplicates: lostReplyWindow,
	}
	with := func(c jetstream.StreamConfig, name, subject string, maxBytes int64, maxAge time.Duration) jetstream.StreamConfig {
		c.Name, c.Subjects, c.MaxBytes, c.MaxAge = name, []string{subject}, maxBytes, maxAge
		return c
	}
	return []jetstream.StreamConfig{
		with(kept, record.Events, "events.*.*", o.MaxBytes+maxWaitingBytes, 0),
		with(kept, record.Retry, "retry.*", o.MaxBytes+maxWaitingBytes, 0),
		with(kept, record.Dead, "dead.*.*", o.DeadMaxBytes+maxWaitingBytes, o.DeadKeep),
		with(shown, record.Attempts, "attempts.*.*", attemptsMaxBytes, o.AttemptsKeep),
		with(shown, record.Debug, "debug.*", debugMaxBytes, o.AttemptsKeep),
	}
}

// ensureStreams creates the streams that are missing. That also brings back
// one whose configuration a crash has damaged, with all its records. A stream
// is updated only when it really differs, because a crash during an update is
// what damages it.
func ensureStreams(ctx context.Context, eng *engine, streams []jetstream.StreamConfig) error {
	for _, want := range streams {
		want.Name, want.Subjects = eng.name(want.Name), []string{eng.subject(want.Subjects[0])}
		if err := ensureStream(ctx, eng.js, want); err != nil {
			return fmt.Errorf("open stream %s: %w", want.Name, err)
		}
	}
	return nil
}

func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, want)
		return err
	}
	if err != nil || !differs(s.CachedInfo().Config, want) {
		return err
	}
	_, err = js.UpdateStream(ctx, want)
	return err
}

// differs compares what this package sets, not what the server adds.
func differs(have, want jetstream.StreamConfig) bool {
	type fixed struct {
		subjects     []string
		maxBytes     int64
		maxAge, dups time.Duration
		discard      jetstream.DiscardPolicy
		replicas     int
		direct       bool
		batching     bool
	}
	of := func(c jetstream.StreamConfig) fixed {
		return fixed{c.Subjects, c.MaxBytes, c.MaxAge, c.Duplicates, c.Discard, max(c.Replicas, 1), c.AllowDirect, c.AllowAtomicPublish}
	}
	return !reflect.DeepEqual(of(have), of(want))
}
