package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"callrelay/queue/engine"
	"callrelay/queue/lane"
	"callrelay/queue/record"
)

// Examine looks through the folder of a relay that does not run: the disk below
// it, the clock, its floors, and what JetStream makes of its streams. It starts
// JetStream as the relay would, which cuts off what is damaged, and delivers and
// changes nothing else. Of a cluster it looks at the streams there. Services
// are the configured ones. It returns an error when it could not look, as when a
// relay runs.
func Examine(ctx context.Context, o engine.Options, services []string) ([]Finding, error) {
	o = o.WithDefaults()
	x := &exam{o: o, services: services}
	if _, err := os.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) {
		x.doubt("folder", "relay run makes it; is queue.dir the right one?", "%s is missing", o.Dir)
		return x.list, nil
	}
	lock, unclean, err := engine.LockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	f := &engine.Folder{Dir: o.Dir, Lock: lock}
	if !unclean {
		defer func() { _ = f.Clean() }()
	}
	defer f.Close()
	if !x.place(f) {
		return x.list, nil
	}
	if len(o.Servers) > 0 {
		examineCluster(ctx, x)
		return x.list, nil
	}
	fl := x.floorFiles(f)
	if err := x.stopped(ctx, f, fl); err != nil {
		x.fault("streams", "copy the folder away before anything else; relay restore fills an empty one from a backup", "JetStream does not start: %v", err)
	}
	return x.list, nil
}

// Live is a queue that runs.
type Live struct {
	Options engine.Options
	Folder  *engine.Folder
	Engine  *engine.Engine // nil: JetStream is down
	Health  error          // why it takes nothing
	Losses  []string       // what was lost with streams
	Spooled error          // why records are spooled; nil: they are not
	Stats   record.Stats
}

// Running looks through a queue while it runs.
func Running(ctx context.Context, q Live, services []string) []Finding {
	x := &exam{o: q.Options, services: services, live: true}
	x.place(q.Folder)
	if q.Health != nil {
		x.fault("health", "it heals by itself once the cause is gone", "%v", q.Health)
	} else {
		x.well("health", "it takes events")
	}
	for _, l := range q.Losses {
		x.doubt("lost", "who has the admin context of the nats CLI can delete streams; a backup, or the call server, may have what is lost", "%s", l)
	}
	if q.Spooled != nil {
		x.doubt("spool", "look at the servers of the cluster, unless that is over soon", "%v", q.Spooled)
	}
	switch {
	case q.Engine == nil:
		x.fault("streams", "it heals by itself once the cause is gone", "JetStream is down")
		return x.list
	case len(q.Options.Servers) > 0:
		x.shared(ctx, q.Engine)
	default:
		x.floorFiles(q.Folder)
		x.streams(ctx, q.Engine)
	}
	x.running(q.Stats)
	return x.list
}

// exam is one examination.
type exam struct {
	findings
	o        engine.Options
	services []string
	live     bool // the relay runs
}

// stopped starts JetStream over the folder and looks at what it took up.
func (x *exam) stopped(ctx context.Context, f *engine.Folder, fl lane.Floors) error {
	heard := &warnings{}
	o := x.o
	o.Listen, o.Log = "", slog.New(heard)
	start := time.Now()
	eng, err := engine.Start(ctx, f, o, nil)
	if err != nil {
		return err
	}
	defer eng.Stop()
	for _, text := range heard.list() {
		x.doubt("recovery", "", "JetStream says: %s", text)
	}
	x.well("recovery", "JetStream took the folder up in %s", time.Since(start).Round(time.Millisecond))
	known := x.streams(ctx, eng)
	return x.owed(ctx, eng, fl, known[record.Events])
}

// owed tells of each service what waits for it.
func (x *exam) owed(ctx context.Context, eng *engine.Engine, fl lane.Floors, state engine.State) error {
	counts := map[string]map[string]int{}
	for _, stream := range [...]string{record.Events, record.Retry, record.Dead} {
		counts[stream], _ = eng.ServiceCounts(ctx, stream) // the stream itself was found missing
	}
	names := map[string]bool{}
	for name := range fl.Lanes {
		names[name] = true
	}
	for _, services := range counts {
		for name := range services {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		known := fl.Lanes[name]
		if known.High > state.LastSeq {
			x.fault("floor "+name, "what was accepted in between is gone: a backup, or the call server, may have it",
				"it stands at %d and EVENTS ends at %d: the end of the stream is lost, or it was made anew", known.High, state.LastSeq)
		}
		fresh, err := eng.CountFrom(ctx, record.Events, "events."+name+".>", known.High+1)
		if err != nil {
			return err
		}
		x.service(name, fresh+len(known.Open), counts[record.Retry][name], counts[record.Dead][name])
	}
	return nil
}

// running tells of each service what waits for it, from a running queue.
func (x *exam) running(s record.Stats) {
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		one := s.Services[name]
		letters := 0
		for _, n := range one.Dead {
			letters += n
		}
		x.service(name, one.Waiting+one.InFlight, one.Parked, letters)
	}
}

func (x *exam) service(name string, owed, parked, letters int) {
	text := fmt.Sprintf("%d owed, %d parked, %s", owed, parked, many(letters, "dead letter"))
	switch {
	case owed+parked+letters == 0:
	case owed+parked > 0 && !slices.Contains(x.services, name):
		x.doubt("service "+name, "relay drop "+name+" makes dead letters of them, or configure it again", "%s, and it is not configured", text)
	default:
		x.well("service "+name, "%s", text)
	}
}

// warnings is a log that keeps what it is told, for a start of JetStream.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// Enabled implements [slog.Handler].
func (*warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements [slog.Handler].
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			text = a.Value.String()
		}
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
	return nil
}

// WithAttrs implements [slog.Handler].
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup implements [slog.Handler].
func (w *warnings) WithGroup(string) slog.Handler { return w }

func (w *warnings) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.texts)
}
