package deliver

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrelay/queue"
	"callrelay/relay/exchange"
	"callrelay/relay/route"
)

// fakeLane is a lane in memory, for tests whose time is not real.
type fakeLane struct {
	mu      sync.Mutex
	fresh   []*fakeEntry
	parked  []*fakeEntry
	held    map[string]*fakeEntry // handed out, by id
	done    []string
	dead    map[string]queue.Death
	full    bool // refuses to park
	parks   int
	ordered bool
	look    chan struct{}
}

func newFakeLane() *fakeLane {
	return &fakeLane{held: map[string]*fakeEntry{}, dead: map[string]queue.Death{}, look: make(chan struct{}, 1)}
}

type fakeEntry struct {
	lane     *fakeLane
	record   queue.Record
	seq      uint64
	accepted time.Time
	parking  queue.Parking
}

func (l *fakeLane) owe(recs ...queue.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, rec := range recs {
		l.fresh = append(l.fresh, &fakeEntry{lane: l, record: rec, seq: uint64(len(l.fresh) + 1), accepted: time.Now()})
	}
	l.poke()
}

// tally is how the deliveries of a lane stand.
type tally struct{ fresh, parked, held, done, dead, parks int }

func (l *fakeLane) tally() tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	return tally{len(l.fresh), len(l.parked), len(l.held), len(l.done), len(l.dead), l.parks}
}

// letters returns the dead letters by id.
func (l *fakeLane) letters() map[string]queue.Death {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.dead)
}

// refuse has the lane store nothing more, or again.
func (l *fakeLane) refuse(full bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = full
}

func (l *fakeLane) poke() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// Next implements lane.
func (l *fakeLane) Next(ctx context.Context, most int) ([]*delivery, error) {
	for {
		list, wait := l.take(most)
		if len(list) > 0 {
			return list, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-l.look:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (l *fakeLane) take(most int) (list []*delivery, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait = 1000 * time.Hour
	slices.SortStableFunc(l.parked, func(a, b *fakeEntry) int { return a.parking.Due.Compare(b.parking.Due) })
	for len(list) < most {
		switch {
		case len(l.parked) > 0 && !l.parked[0].parking.Due.After(time.Now()):
			list = append(list, l.hand(&l.parked))
		case len(l.fresh) > 0:
			list = append(list, l.hand(&l.fresh))
		default:
			if len(l.parked) > 0 {
				wait = time.Until(l.parked[0].parking.Due)
			}
			return list, wait
		}
	}
	return list, wait
}

func (l *fakeLane) hand(from *[]*fakeEntry) *delivery {
	e := (*from)[0]
	*from = (*from)[1:]
	l.held[e.record.ID] = e
	return &delivery{entry: e, record: e.record, seq: e.seq, accepted: e.accepted, attempts: e.parking.Attempts, known: e.parking.Attempts, moved: moves.note}
}

// SetOrdered implements lane.
func (l *fakeLane) SetOrdered(ordered bool) { l.ordered = ordered }

// Wake implements lane.
func (l *fakeLane) Wake(w queue.Wake) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.parked {
		if e.parking.Held || w == queue.WakeAll {
			e.parking.Due = time.Now()
		}
	}
	l.poke()
}

// Finish implements entry.
func (e *fakeEntry) Finish() {
	e.end(func() { e.lane.done = append(e.lane.done, e.record.ID) })
}

// Return implements entry.
func (e *fakeEntry) Return() {
	e.end(func() { e.lane.fresh = slices.Insert(e.lane.fresh, 0, e) })
}

// Park implements entry.
func (e *fakeEntry) Park(p queue.Parking) error {
	if e.refused() {
		return queue.ErrFull
	}
	e.end(func() {
		e.parking = p
		e.lane.parks++
		e.lane.parked = append(e.lane.parked, e)
	})
	return nil
}

// Bury implements entry.
func (e *fakeEntry) Bury(d queue.Death) error {
	if e.refused() {
		return queue.ErrFull
	}
	e.end(func() { e.lane.dead[e.record.ID] = d })
	return nil
}

func (e *fakeEntry) refused() bool {
	e.lane.mu.Lock()
	defer e.lane.mu.Unlock()
	return e.lane.full
}

func (e *fakeEntry) end(then func()) {
	e.lane.mu.Lock()
	defer e.lane.mu.Unlock()
	if e.lane.held[e.record.ID] != e {
		panic("entry " + e.record.ID + " is not in flight")
	}
	delete(e.lane.held, e.record.ID)
	then()
	e.lane.poke()
}

// fakeStore keeps states in memory.
type fakeStore struct {
	mu    sync.Mutex
	state map[string][]byte
}

func (s *fakeStore) Save(name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		s.state = map[string][]byte{}
	}
	s.state[name] = data
	return nil
}

func (s *fakeStore) Load(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.state[name]
	if !ok {
		return nil, queue.ErrNotFound
	}
	return data, nil
}

// fakeJournal forgets attempts.
type fakeJournal struct{}

func (fakeJournal) LogAttempt(string, string, []byte) {}
func (fakeJournal) LogDebug(string, []byte)           {}

// bench is a runner over fakes, in a bubble of time.
type bench struct {
	*runner
	t     *testing.T
	lane  *fakeLane
	table *route.Table
	env   environment

	mu    sync.Mutex
	sent  []sent
	reply func(a *exchange.Attempt) (exchange.Reply, error)
}

type sent struct {
	id     string
	number int
	at     time.Duration // since the start
}

// bubble runs a test of a runner inside a bubble of time. The service is called
// crm and answers 200 unless reply says otherwise.
func bubble(t *testing.T, more string, test func(b *bench)) {
	t.Helper()
	table := tableOf(t, t.TempDir(), service("crm", "http://crm.example.com/", more))
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, lane: newFakeLane(), table: table, env: environment{recordings: noRecordings{}}}
		log := slog.New(slog.DiscardHandler)
		reporter := newReporter(log, newMetrics(), fakeJournal{}, newNotices(nil))
		b.runner = newRunner("crm", b.lane, reporter, func() {})
		all := newBreakers(&fakeStore{}, slog.New(slog.DiscardHandler), func(*endpoint, change) {})
		s := table.Service("crm")
		start := time.Now()
		b.apply(b.setupOf(s, start), all.endpoint(s.Endpoint, s.Breaker), false)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { b.run(ctx, t.Context()); close(ended) }()
		test(b)
		cancel()
		<-ended
		all.stop()
	})
}

// setupOf makes a setup that sends into the bench.
func (b *bench) setupOf(s *route.Service, start time.Time) *setup {
	n := newSetup(s, b.env, nil) // its sender is never called
	n.sender = exchange.SenderFunc(func(_ context.Context, a *exchange.Attempt) (exchange.Reply, error) {
		b.mu.Lock()
		b.sent = append(b.sent, sent{a.ID, a.Number, time.Since(start)})
		reply := b.reply
		b.mu.Unlock()
		if reply == nil {
			return exchange.Reply{Status: 200}, nil
		}
		return reply(a)
	})
	return n
}

func (b *bench) respond(reply func(a *exchange.Attempt) (exchange.Reply, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reply = reply
}

// always answers with one status.
func always(status int) func(*exchange.Attempt) (exchange.Reply, error) {
	return func(*exchange.Attempt) (exchange.Reply, error) { return exchange.Reply{Status: status}, nil }
}

func (b *bench) attempts() []sent {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sent)
}

// pass lets time pass in a bubble.
func pass(d time.Duration) { <-time.After(d) }

// after lets time pass and everything come to rest.
func (b *bench) after(d time.Duration) {
	pass(d)
	synctest.Wait()
}
