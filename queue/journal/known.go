package journal

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	// loadFirst is how many of the newest ids are read before anything is taken:
	// what was on its way when the process was killed is sent again first.
	loadFirst = 10_000
	// loadStep is how many ids are taken up at a time, between two commits.
	loadStep = 512
	// loadPause is how long to wait before a part is read again that could not be.
	loadPause = 250 * time.Millisecond
)

// Known takes up the ids of the window that EVENTS holds from before this
// process: the newest before the store takes records, and the rest beside its
// work. A second copy of a record whose id was read too late is taken back. What
// came with its id and is something else was accepted, and stays.
type Known struct {
	s      *Store
	rest   engine.Span // still to be read
	newest time.Time
}

// knownID is the id of a record.
type knownID struct {
	hash    Hash128
	at      time.Time
	seq     uint64
	claimed bool // its producer gave it
	taken   bool // it has come to stand for something else meanwhile
}

// BeginKnown reads the newest ids. The window ends with the newest record, so that
// it is right however the clock was set since, and reaches back across the steps
// that are known.
func (s *Store) BeginKnown(ctx context.Context, eng *engine.Engine) (*Known, error) {
	k := &Known{s: s, rest: engine.Span{From: 1, To: 0}}
	ids := NewRecent(s.Options.DedupWindow)
	s.Events.Recent = ids
	stream, err := eng.Stream(ctx, record.Events)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	k.newest = state.LastTime
	if now := time.Now(); k.newest.After(now) {
		k.newest = now
	}
	first, err := eng.SeqSince(ctx, record.Events, time.Unix(0, s.Clock.Back(k.newest.UnixNano(), s.Options.DedupWindow)))
	if state.Msgs == 0 || errors.Is(err, record.ErrNotFound) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	if state.LastSeq > MaxIDs/2 {
		first = max(first, state.LastSeq-MaxIDs/2)
	}
	if state.LastSeq >= first+loadFirst {
		k.rest = engine.Span{From: first, To: state.LastSeq - loadFirst}
		ids.Fresh = map[Hash128]Lying{}
	}
	return k, k.read(ctx, eng, engine.Span{From: max(first, state.LastSeq-min(loadFirst, state.LastSeq)+1), To: state.LastSeq}, func(known []knownID) {
		for _, id := range known {
			ids.Add(id.hash, id.at, struct{}{})
		}
	})
}

// Run reads the rest, through whatever engine runs, and has copies taken back.
func (k *Known) Run(ctx context.Context, takeBack func(context.Context, Lying) error) {
	for !k.step(ctx, takeBack) {
		if engine.Pause(ctx, loadPause); ctx.Err() != nil {
			return
		}
	}
	c := k.s.Events
	c.CommitMu.Lock()
	c.Recent.Fresh = nil
	c.CommitMu.Unlock()
}

// step reads on, and reports whether that was all.
func (k *Known) step(ctx context.Context, takeBack func(context.Context, Lying) error) bool {
	eng := k.s.Engine()
	if eng == nil {
		return false
	}
	err := k.read(ctx, eng, k.rest, func(known []knownID) {
		for _, at := range k.copies(known) {
			if err := takeBack(ctx, at); err != nil {
				k.s.Log.Warn("a record stored twice after the start was not taken back", "service", at.Service, "err", err)
			}
		}
		k.rest.From = known[len(known)-1].seq + 1
	})
	if err != nil && ctx.Err() == nil {
		k.s.Log.Debug("stored records not all read yet", "err", err)
	}
	return err == nil
}

// copies adds ids, and returns what was stored meanwhile under one of them.
func (k *Known) copies(known []knownID) (copies []Lying) {
	c := k.s.Events
	c.CommitMu.Lock()
	defer c.CommitMu.Unlock()
	for _, id := range known {
		at, stored := c.Recent.Fresh[id.hash]
		if _, had := c.Recent.Add(id.hash, id.at, struct{}{}); had && stored && at.Seq > id.seq && !id.taken && (id.claimed || !at.Claimed) {
			copies = append(copies, at)
		}
	}
	return copies
}

// read passes the ids in a part of EVENTS on, some at a time.
func (k *Known) read(ctx context.Context, eng *engine.Engine, s engine.Span, take func([]knownID)) error {
	var some []knownID
	events := k.s.Events
	hash := events.Recent.Hash
	err := eng.ReadSpan(ctx, record.Events, s, func(m *nats.Msg, at record.Place) {
		moment := time.Now().Add(-k.s.Clock.Between(at.At.UnixNano(), k.newest.UnixNano()))
		id := knownID{hash: hash(record.IDOf(m.Header)), at: moment, seq: at.Seq}
		if claim := m.Header.Get(record.HeadClaim); claim != "" {
			id.claimed = true
			_, _, id.taken = events.Claims.Stake(claim, moment)
		}
		some = append(some, id)
		if len(some) == loadStep {
			take(some)
			some = some[:0]
		}
	})
	if len(some) > 0 {
		take(some)
	}
	return err
}
