package queue

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

// base is what the queue stands on, the embedded server or a cluster: all that
// differs between the two is here.
type base interface {
	// load takes up what the folder holds, once.
	load(ctx context.Context) error
	// patience is how long Open tries, and a later start may take; 0: Open tries
	// once, a start takes what it takes.
	patience() (open, start time.Duration)
	// start returns a JetStream to work with.
	start(ctx context.Context) (*engine.Engine, error)
	// shape makes the configurations of the streams what they have to be here.
	shape(streams []jetstream.StreamConfig) []jetstream.StreamConfig
	// recover takes up what the streams hold. first is false after a restart.
	recover(ctx context.Context, eng *engine.Engine, first bool) error
	// attachAll attaches the lanes of all services that have records, or had, and
	// counts what they have.
	attachAll(ctx context.Context, eng *engine.Engine) error
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
	// take brings a group of new records on its way.
	take(g *journal.Group)
	// fall is told that nothing can be written, before anything is refused.
	fall()
	// bridge is what takes records while the streams are away; nil: nothing.
	bridge() *spool
	// term numbers the times in which keeps was true; 0: it is not.
	term() uint64
	// stamp is stored beside a record that is parked in a term, so that its
	// keeper knows it again.
	stamp(term uint64) string
	// writer returns what the committer of a stream writes through.
	writer(ctx context.Context, eng *engine.Engine, stream string) (journal.Writer, error)
	// waiting is how many fresh deliveries of a lane, which is locked, are not
	// in flight.
	waiting(l *Lane) int
	// stored notes that a record of a service was stored, and where.
	stored(r *record.Record, seq uint64)
	// count asks for what the lanes cannot know by themselves.
	count(ctx context.Context, eng *engine.Engine) error
	// disk is the folder whose filesystem fills up; empty: none of this machine.
	disk() string
	// own returns when all that is owed is this relay's to finish.
	own(ctx context.Context) error
	// settled returns when what was finished stays so after a crash.
	settled(ctx context.Context) error
	// alone reports whether nobody else writes to the streams.
	alone() bool
	// erased tells whoever else may hold records of a service that they are gone.
	erased(eng *engine.Engine, stream, service string, seqs []uint64)
	// removed is told that records of a stream expired, or that an operator
	// deleted some.
	removed(ctx context.Context, eng *engine.Engine, stream string)
	// trim removes finished records from EVENTS.
	trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error
	// read returns a stored record, for sure if there is one.
	read(ctx context.Context, eng *engine.Engine, stream string, seq uint64) (*nats.Msg, error)
	// run does what has to be done all the time, until ctx ends.
	run(ctx context.Context)
	// probe returns nil when a start may succeed.
	probe() error
	// close saves what the next start needs, while the engine still runs.
	close(ctx context.Context, eng *engine.Engine) error
}

// newBase returns the one that the options ask for.
func newBase(q *Queue) base {
	switch {
	case len(q.o.Servers) > 0:
		return newCluster(q)
	case q.in.unserved:
		return unserved{&embedded{q}}
	}
	return &embedded{q}
}

// unserved is an embedded queue whose records are taken from its stream as they
// lie there: nobody serves its lanes, and nothing is given up to make room.
type unserved struct{ *embedded }

func (b unserved) attachAll(ctx context.Context, eng *engine.Engine) error { return b.q.ask(ctx, eng) }
func (b unserved) serve(*Lane, *engine.Engine)                             {}
func (b unserved) stored(*record.Record, uint64)                           {}
func (b unserved) keeps() bool                                             { return false }

// embedded is the base of one relay by itself: its own server, over a folder of
// its own, and floors that it keeps itself.
type embedded struct{ q *Queue }

// embeddedTerm is the one term of an embedded queue.
const embeddedTerm = 1

func (b *embedded) load(context.Context) error {
	file, fl, err := lane.OpenFloors(b.q.folder)
	if err != nil {
		return err
	}
	b.q.floors = file
	b.q.retries.parkedTo = fl.Parked
	for name, p := range fl.Lanes {
		b.q.lane(name).win.Restore(p.High, p.Open)
	}
	b.q.retries.gone = fl.Gone
	return nil
}

func (b *embedded) patience() (open, start time.Duration) { return 0, 0 }

func (b *embedded) start(ctx context.Context) (*engine.Engine, error) {
	if b.q.hub == nil {
		return engine.Start(ctx, b.q.folder, b.q.o, nil)
	}
	return engine.Start(ctx, b.q.folder, b.q.o, b.q.hub.Uplink())
}

func (b *embedded) take(g *journal.Group) {
	b.q.events.Room()
	b.q.pressure.MakeWay(b.q.space, g.Size(), b.q.closed)
	b.q.take(g)
}

func (b *embedded) fall()               {}
func (b *embedded) bridge() *spool      { return nil }
func (b *embedded) keeps() bool         { return true }
func (b *embedded) term() uint64        { return embeddedTerm }
func (b *embedded) stamp(uint64) string { return "" }

func (b *embedded) recover(ctx context.Context, eng *engine.Engine, first bool) error {
	if !first {
		return b.q.disown(ctx, eng)
	}
	if b.q.folder.Unclean {
		if err := b.q.secure(ctx, eng); err != nil {
			return err
		}
	}
	return b.q.loading.begin(ctx, eng)
}

func (b *embedded) attachAll(ctx context.Context, eng *engine.Engine) error {
	if err := b.q.attachLanes(ctx, eng); err != nil {
		return err
	}
	return b.q.ask(ctx, eng)
}

func (b *embedded) shape(streams []jetstream.StreamConfig) []jetstream.StreamConfig { return streams }

func (b *embedded) serve(l *Lane, eng *engine.Engine) { l.attachOnce(eng) }

func (b *embedded) attach(ctx context.Context, l *Lane, eng *engine.Engine) error {
	return l.attach(ctx, eng)
}

func (b *embedded) accept(l *Lane, e *Entry, at record.Place) { l.accept(e, at.Nth) }

func (b *embedded) feeds(*Lane) bool   { return true }
func (b *embedded) wants(l *Lane) bool { return len(l.fresh)+l.feed.asked <= l.feed.size/2 }

// open keeps an ordered lane back until all is known that may come before.
func (b *embedded) open(l *Lane) bool { return l.chains == nil || b.q.loading.over.Load() }

func (b *embedded) settle(*Lane, *Entry) {}

func (b *embedded) writer(ctx context.Context, eng *engine.Engine, stream string) (journal.Writer, error) {
	p, err := journal.NewPublisher(ctx, eng, stream)
	if err == nil {
		p.Alone = true
	}
	return p, err
}

func (b *embedded) waiting(l *Lane) int { return max(l.feed.waiting, 0) + l.held() }

func (b *embedded) stored(r *record.Record, seq uint64) {
	b.q.lane(r.Service).count(seq, record.SizeOf(r))
}

func (b *embedded) count(context.Context, *engine.Engine) error { return nil }

func (b *embedded) own(context.Context) error { return nil }

func (b *embedded) settled(ctx context.Context) error {
	if err := b.q.saveNow(); err != nil {
		return err
	}
	return b.q.deleteGone(ctx)
}

func (b *embedded) disk() string { return b.q.o.Dir }
func (b *embedded) alone() bool  { return true }

func (b *embedded) erased(*engine.Engine, string, string, []uint64) {}

// removed counts what is left to the lanes.
func (b *embedded) removed(ctx context.Context, eng *engine.Engine, stream string) {
	if stream == record.Events {
		b.q.recount(ctx, eng)
	}
}

func (b *embedded) trim(ctx context.Context, eng *engine.Engine, keep time.Duration) error {
	return b.q.trim(ctx, eng, keep)
}

func (b *embedded) read(ctx context.Context, eng *engine.Engine, stream string, seq uint64) (*nats.Msg, error) {
	m, _, err := eng.GetDirect(ctx, stream, fmt.Appendf(nil, `{"seq":%d}`, seq))
	return m, err
}

func (b *embedded) run(ctx context.Context) {
	b.q.background(b.q.watchServer)
	b.q.background(b.q.loading.run)
	b.q.saveFloors(ctx)
}

// probe writes to the folder as the server would.
func (b *embedded) probe() error {
	path := b.q.folder.Path("probe")
	defer func() { _ = os.Remove(path) }()
	return engine.WriteFile(path, make([]byte, 64<<10))
}

func (b *embedded) close(context.Context, *engine.Engine) error { return b.q.saveNow() }
