package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/config"
	"callrelay/relay/limit"
	"callrelay/relay/repeat"
)

// Access modes of a link.
const (
	AccessSigned    = "signed"
	AccessBasic     = "basic"
	AccessAnonymous = "anonymous"
)

// Options are what a [Recordings] is given besides its configuration. The zero
// value works: it logs nothing, counts for itself, and raises no events.
type Options struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer

	// Raise accepts an event of the relay's own, durably when it returns nil;
	// else it is called again later. Nil: late recordings are not announced.
	Raise func(ctx context.Context, event []byte) error

	// Store keeps the late recordings over a restart. Nil: they are forgotten.
	Store Store

	Descriptors *limit.Descriptors // notes that there are none left; nil: nobody does
}

// A Store keeps small pieces of state. What was never saved is loaded as
// nothing, with or without an error.
type Store interface {
	Save(name string, data []byte) error
	Load(name string) ([]byte, error)
}

// Recordings links, serves and watches the recordings of one folder. It is
// safe for concurrent use.
type Recordings struct {
	responder
	watcher *watcher
	pending *pendingLate
	listen  string
	tls     *config.TLS

	descriptors *limit.Descriptors

	mu       sync.Mutex
	listener net.Listener
}

// Open makes links and looks at files from then on, and touches nothing;
// [Recordings.Listen] and [Recordings.Serve] do the rest. [Recordings.Close]
// ends it.
func Open(c *config.Recordings, o Options) (*Recordings, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s, err := newSettings(c)
	if err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	t := newRoot(c.Dir)
	r := &Recordings{
		responder: responder{root: t, tokens: newTokens(t), clients: newClients(), guesses: limit.NewGuesses(refusedEvery, RefusedBurst), log: o.Log},
		listen:    c.Listen, tls: c.TLS, descriptors: o.Descriptors,
	}
	r.settings.Store(s)
	r.files = newFileCache(t, func() *config.Raw { return r.settings.Load().Raw })
	r.metrics = newMetrics(o.Metrics)
	r.watcher = newWatcher(t.dir, r.files.look, o.Log)
	r.pending = newPendingLate(r.watcher, o, func(outcome string) { r.metrics.outcomes.WithLabelValues(outcome).Inc() })
	return r, nil
}

// Close stops watching and listening, and saves what is still waited for.
// Nothing is called back after it has returned.
func (r *Recordings) Close() error {
	r.mu.Lock()
	ln := r.listener
	r.mu.Unlock()
	if ln != nil {
		_ = ln.Close() // Serve has done so, if it ran
	}
	return errors.Join(r.watcher.close(), r.pending.close())
}

// LiveKeys are the settings that [Recordings.Prepare] applies, as relay.toml
// spells them. The folder and the listener stay.
func LiveKeys() []string {
	return []string{
		"recordings.access", "recordings.agent_perspective", "recordings.anonymous", "recordings.expires", "recordings.keys",
		"recordings.late", "recordings.raw", "recordings.trusted_proxies", "recordings.url", "recordings.users", "recordings.wait",
	}
}

// Prepare makes ready what a reload may change. The function it returns puts it in
// force; before, and after an error, nothing has changed.
func (r *Recordings) Prepare(c *config.Recordings) (commit func(), err error) {
	s, err := newSettings(c)
	if err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	return func() { r.settings.Store(s) }, nil
}

// Settings returns how long a delivery waits for its recording, and whether
// agent recordings are linked.
func (r *Recordings) Settings() (wait time.Duration, agentPerspective bool) {
	s := r.settings.Load()
	return s.Wait, s.AgentPerspective
}

// Look says how the recording at path stands. Path is below the folder, or
// absolute and in it. With start or end, in seconds and not negative, the metadata
// are those of that part, which is missing when nobody could cut it.
func (r *Recordings) Look(path string, start, end float64) File {
	if path == "" {
		return File{State: StateNone}
	}
	name, ok := r.root.canonical(path)
	slice, valid := sliceOf(start, end)
	if !ok || !valid {
		return File{State: StateMissing}
	}
	file, _ := r.files.look(name)
	return file.part(slice)
}

// LookAgent is [Recordings.Look] for an agent-perspective recording, which has
// to have two channels. The log says so, once a file, when it has not.
func (r *Recordings) LookAgent(path string) File {
	file := r.Look(path, -1, -1)
	if file.State == StateReady && file.Channels != 2 {
		warn(r.log, "agent recording has not two channels", path, "channels", file.Channels)
	}
	return file
}

// Watch calls ready once the recording at path is complete, at once when it is
// already, on a goroutine of its own. After cancel has returned it is not
// called any more, unless it is being called. One that can never be there is
// never ready.
func (r *Recordings) Watch(path string, ready func()) (cancel func()) {
	name, ok := r.root.canonical(path)
	if !ok {
		return func() {}
	}
	return r.watcher.watch(name, ready)
}

// Count notes that a delivery left with its recording, or without the one that
// missing names.
func (r *Recordings) Count(service, missing string) {
	outcome := OutcomeReady
	if missing != "" {
		outcome = OutcomeMissing
		r.log.Warn("delivery left without its recording", "service", service, "recording", missing, repeat.Key("left without", service))
	}
	r.metrics.outcomes.WithLabelValues(outcome).Inc()
}

// Late raises recording_available, with the members of event, when the
// recording at path, or the part of it between start and end, completes before
// until, and recording_failed then when it does not; at once when it never can.
// Event is one JSON object with its id; asking again for the same one changes
// nothing.
func (r *Recordings) Late(path string, start, end float64, event []byte, until time.Time) {
	name, ok := r.root.canonical(path)
	slice, valid := sliceOf(start, end)
	if !ok || !valid {
		until = time.Now()
	}
	r.pending.add(name, slice, event, until)
}

// warn logs what is wrong with a recording: each time that it is looked at, and
// so as repeats.
func warn(log *slog.Logger, text, path string, more ...any) {
	log.Warn(text, append([]any{"recording", path, repeat.Key(path)}, more...)...)
}
