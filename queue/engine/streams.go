package engine

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

// What the streams hold beyond, and beside, what the options say.
const (
	MaxWaitingBytes  = 32 << 20 // of records that wait to be written: the streams take them beyond their limits
	attemptsMaxBytes = 256 << 20
	debugMaxBytes    = 128 << 20

	// LostReplyWindow is JetStream's own memory of ids, the least there can be:
	// this package remembers ids itself, see [recent] and [idOf].
	LostReplyWindow = 100 * time.Millisecond

	CreateTimeout = 2 * RequestTimeout // of a stream, which a cluster has to place
)

// StreamConfigs returns the streams as they shall be. Their limits come from
// the options, all else is fixed. JetStream's own limits are a little beyond
// those that the relay keeps by itself, see [space].
func StreamConfigs(o Options) []jetstream.StreamConfig {
	kept := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		AllowDirect: true, Duplicates: LostReplyWindow, AllowAtomicPublish: true,
	}
	shown := jetstream.StreamConfig{
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		AllowDirect: true, PersistMode: jetstream.AsyncPersistMode, MaxAge: o.AttemptsKeep, Duplicates: LostReplyWindow,
	}
	with := func(c jetstream.StreamConfig, name, subject string, maxBytes int64, maxAge time.Duration) jetstream.StreamConfig {
		c.Name, c.Subjects, c.MaxBytes, c.MaxAge = name, []string{subject}, maxBytes, maxAge
		return c
	}
	return []jetstream.StreamConfig{
		with(kept, record.Events, "events.*.*", o.MaxBytes+MaxWaitingBytes, 0),
		with(kept, record.Retry, "retry.*", o.MaxBytes+MaxWaitingBytes, 0),
		with(kept, record.Dead, "dead.*.*", o.DeadMaxBytes+MaxWaitingBytes, o.DeadKeep),
		with(shown, record.Attempts, "attempts.*.*", attemptsMaxBytes, o.AttemptsKeep),
		with(shown, record.Debug, "debug.*", debugMaxBytes, o.AttemptsKeep),
	}
}

// EnsureStreams creates the streams that are missing. That also brings back
// one whose configuration a crash has damaged, with all its records. A stream
// is updated only when it really differs, because a crash during an update is
// what damages it.
func EnsureStreams(ctx context.Context, eng *Engine, streams []jetstream.StreamConfig) error {
	for _, want := range streams {
		want.Name, want.Subjects = eng.Name(want.Name), []string{eng.Subject(want.Subjects[0])}
		if err := ensureStream(ctx, eng.JS, want); err != nil {
			return fmt.Errorf("open stream %s: %w", want.Name, err)
		}
	}
	return nil
}

func ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(ctx, CreateTimeout)
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
