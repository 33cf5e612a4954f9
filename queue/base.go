package queue

import (
	"context"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
	"callrelay/queue/spool"
)

// base is what the queue stands on, the embedded server or a cluster: all that
// differs between the two is here.
type base interface {
	journal.Backend
	sharing
	// load takes up what the folder holds, once.
	load(ctx context.Context) error
	// take brings a group of new records on its way.
	take(g *journal.Group)
	// bridge is what takes records while the streams are away; nil: nothing.
	bridge() *spool.Spool
	// count asks for what the lanes cannot know by themselves.
	count(ctx context.Context, eng *engine.Engine) error
	// removed is told that records of a stream expired, or that an operator
	// deleted some.
	removed(ctx context.Context, eng *engine.Engine, stream string)
	// trim removes finished records from EVENTS.
	trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error
	// run does what has to be done all the time, until ctx ends.
	run(ctx context.Context)
	// close saves what the next start needs, while the engine still runs.
	close(ctx context.Context, eng *engine.Engine) error
}

// sharing says which relay hands out what, and tells the others.
type sharing interface {
	// serve prepares a lane that somebody will take from.
	serve(l *Lane, eng *engine.Engine)
	// attach makes the consumer of a lane and listens to it.
	attach(ctx context.Context, l *Lane, eng *engine.Engine) error
	// renew has a lane begin anew that stands still.
	renew(l *Lane, eng *engine.Engine)
	// accept queues an entry that was delivered to a lane, unless it was finished
	// before.
	accept(l *Lane, e *Entry, at record.Place)
	// feeds reports whether records come to a lane here, and wants whether it
	// shall ask for more; its lock is held.
	feeds(l *Lane) bool
	wants(l *Lane) bool
	// open reports whether a lane, whose lock is held, may hand out what came.
	open(l *Lane) bool
	// settle tells who else may hand out an entry of EVENTS that it is done with.
	settle(l *Lane, e *Entry)
	// keeps reports whether what only one relay may do is this one's to do:
	// retries, services whose calls are ordered, the upkeep of the streams.
	keeps() bool
	// term numbers the times in which keeps was true; 0: it is not.
	term() uint64
	// stamp is stored beside a record that is parked in a term, so that its
	// keeper knows it again.
	stamp(term uint64) string
	// waiting is how many fresh deliveries of a lane, which is locked, are not
	// in flight.
	waiting(l *Lane) int
	// stored notes that a record of a service was stored, and where.
	stored(r *record.Record, seq uint64)
	// own returns when all that is owed is this relay's to finish.
	own(ctx context.Context) error
	// settled returns when what was finished stays so after a crash.
	settled(ctx context.Context) error
	// alone reports whether nobody else writes to the streams.
	alone() bool
	// erased tells whoever else may hold records of a service that they are gone.
	erased(eng *engine.Engine, stream, service string, seqs []uint64)
}

// newBase returns the one that the options ask for.
func newBase(q *Queue) base {
	if len(q.store.Options.Servers) > 0 {
		return newCluster(q)
	}
	return &embedded{Embedded: journal.Embedded{Store: q.store}, solo: solo{q}, q: q}
}

// embedded is the base of one relay by itself: its own server, over a folder of
// its own, and floors that it keeps itself.
type embedded struct {
	journal.Embedded
	solo
	q *Queue
}

// solo hands out what no other relay does.
type solo struct{ q *Queue }

// embeddedTerm is the one term of an embedded queue.
const embeddedTerm = 1

func (b *embedded) load(context.Context) error {
	file, fl, err := lane.OpenFloors(b.q.store.Folder)
	if err != nil {
		return err
	}
	b.q.saving.file = file
	b.q.retries.parkedTo = fl.Parked
	for name, p := range fl.Lanes {
		l := b.q.lane(name)
		l.win.Restore(p.High, p.Open)
		l.retrying.lot.past = record.SetOf(p.Past)
	}
	b.q.retries.gone = fl.Gone
	return nil
}

// Start implements [journal.Backend].
func (b *embedded) Start(ctx context.Context) (*engine.Engine, error) {
	if b.q.hub == nil {
		return b.Embedded.Start(ctx)
	}
	return engine.Start(ctx, b.q.store.Folder, b.q.store.Options, b.q.hub.Uplink())
}

func (b *embedded) take(g *journal.Group) { b.q.store.TakeSoon(g) }

func (b *embedded) bridge() *spool.Spool { return nil }
func (b *solo) keeps() bool              { return true }
func (b *solo) term() uint64             { return embeddedTerm }
func (b *solo) stamp(uint64) string      { return "" }

// Recover implements [journal.Backend].
func (b *embedded) Recover(ctx context.Context, eng *engine.Engine, first bool) error {
	err := b.Embedded.Recover(ctx, eng, first)
	if err == nil && first {
		err = b.q.loading.begin(ctx, eng)
	}
	return err
}

// Serve implements [journal.Backend].
func (b *embedded) Serve(ctx context.Context, eng *engine.Engine) error {
	if err := b.q.attachLanes(ctx, eng); err != nil {
		return err
	}
	return b.q.cached.ask(ctx, eng)
}

// Lose implements [journal.Backend].
func (b *embedded) Lose(stream string) int { return b.q.lose(stream) }

func (b *solo) serve(l *Lane, eng *engine.Engine) { l.pull.attachOnce(eng) }

func (b *solo) attach(ctx context.Context, l *Lane, eng *engine.Engine) error {
	return l.pull.attach(ctx, eng)
}

func (b *solo) accept(l *Lane, e *Entry, at record.Place) { l.pull.accept(e, at.Nth) }

func (b *solo) feeds(*Lane) bool   { return true }
func (b *solo) wants(l *Lane) bool { return len(l.fresh)+l.pull.feed.asked <= l.pull.feed.size/2 }

// open keeps an ordered lane back until all is known that may come before.
func (b *solo) open(l *Lane) bool { return l.order.chains == nil || b.q.loading.over.Load() }

func (b *solo) settle(*Lane, *Entry) {}

func (b *solo) waiting(l *Lane) int { return max(l.pull.feed.waiting, 0) + l.tally.held() }

func (b *solo) stored(r *record.Record, seq uint64) {
	b.q.lane(r.Service).pull.count(seq, record.SizeOf(r))
}

func (b *embedded) count(context.Context, *engine.Engine) error { return nil }

// own waits until all is known that is parked.
func (b *solo) own(ctx context.Context) error {
	select {
	case <-b.q.loading.done:
		return nil
	case <-b.q.store.Closed:
		return record.ErrUnavailable
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *solo) settled(ctx context.Context) error {
	if err := b.q.saving.save(); err != nil {
		return err
	}
	return b.q.retries.deleteGone(ctx)
}

func (b *solo) alone() bool { return true }

func (b *solo) erased(*engine.Engine, string, string, []uint64) {}

// removed counts what is left to the lanes.
func (b *embedded) removed(ctx context.Context, eng *engine.Engine, stream string) {
	if stream == record.Events {
		b.q.cached.recount(ctx, eng)
	}
}

func (b *embedded) trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error {
	return b.q.trimmer.trim(ctx, eng, keep)
}

func (b *embedded) run(ctx context.Context) {
	b.q.store.Background(b.q.store.WatchServer)
	b.q.store.Background(b.q.loading.run)
	b.q.saving.run(ctx)
}

func (b *embedded) close(context.Context, *engine.Engine) error { return b.q.saving.save() }
