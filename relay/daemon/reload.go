package daemon

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callrelay/config"
	"callrelay/relay/repeat"
	"callrelay/relay/route"
	"callrelay/relay/web"
)

// reloader puts configurations in force. What a reload changes is in parts; a
// key that none of them claims needs a restart, so that a new key is never
// ignored in silence.
type reloader struct {
	// Long-lived: kept by every reload.
	path     string
	log      *slog.Logger
	first    *Loaded                 // what the long-lived parts of the relay were built from
	parts    []live                  // in the order in which they take a configuration
	rejected func(problems []string) // is notified of a configuration that cannot be put in force

	mu sync.Mutex // one reload at a time

	// Swapped: replaced by a reload.
	current atomic.Pointer[Loaded]
	state   atomic.Pointer[web.Config]
}

// A live part takes another configuration while it runs.
type live struct {
	keys []string // what it applies, by the start of the key

	// prepare does all that can fail and changes nothing. Then commit changes the
	// part, and cannot fail; nil: there is nothing to do. A nil prepare is that of a
	// part that asks for the table in force.
	prepare func(next *Loaded) (commit func(), err error)
}

// load puts the first configuration in force.
func (r *reloader) load() error {
	s, err := Load(r.path)
	if err != nil {
		return err
	}
	if path, err := filepath.Abs(r.path); err == nil {
		r.path = path // reloads read the same file whatever the folder
	}
	r.first = s
	r.activate(s)
	return nil
}

// table is the one in force.
func (r *reloader) table() *route.Table { return r.current.Load().Table }

func (r *reloader) configState() web.Config { return *r.state.Load() }

// reload reads the configuration again and puts it in force in one step. All
// that can fail comes before; after a failure nothing has changed but what is
// reported of it.
func (r *reloader) reload() web.Reload {
	r.mu.Lock()
	defer r.mu.Unlock()
	notifyReloading()
	defer NotifyReady()

	next, err := Load(r.path)
	if err != nil {
		return r.refuse(err)
	}
	var commits []func()
	for _, p := range r.parts {
		if p.prepare == nil {
			continue
		}
		commit, err := p.prepare(next)
		if err != nil {
			return r.refuse(err)
		}
		if commit != nil {
			commits = append(commits, commit)
		}
	}
	r.activate(next)
	for _, commit := range commits {
		commit()
	}
	state := r.configState()
	r.log.Info("config reloaded", "fingerprint", state.Fingerprint)
	for _, line := range state.Warnings {
		r.log.Warn("configuration warning", "text", line, repeat.Key())
	}
	for _, key := range state.Restart {
		r.log.Warn("setting takes effect after a restart", "key", key, repeat.Key())
	}
	return web.Reload{Success: true, Fingerprint: state.Fingerprint, Warnings: state.Warnings, Restart: state.Restart}
}

// activate swaps the configuration. Who reads [reloader.table] sees the old one
// or the new one, never a mixture.
func (r *reloader) activate(s *Loaded) {
	r.current.Store(s)
	now := time.Now()
	r.state.Store(&web.Config{
		Path: r.path, Fingerprint: s.Config.Fingerprint(), Since: now, LastReload: now, Success: true,
		Warnings: ProblemLines(s.Warnings), Restart: r.restart(s.Config),
	})
}

// refuse keeps what is in force and reports the problems.
func (r *reloader) refuse(err error) web.Reload {
	problems := problemTexts(err)
	state := r.configState()
	state.LastReload, state.Success, state.Problems = time.Now(), false, problems
	r.state.Store(&state)
	for _, text := range problems {
		r.log.Error("reload refused", "err", text, repeat.Key()) // each time: it answers a request
	}
	r.rejected(problems)
	return web.Reload{Problems: slices.Clone(problems)}
}

func problemTexts(err error) []string {
	if all := Problems(nil); errors.As(err, &all) {
		return ProblemLines(all)
	}
	return []string{err.Error()}
}

// restart returns the keys that differ from those that the relay was started
// with, and that no part applies while it runs. Of a table that came or went as
// a whole only the name is returned.
func (r *reloader) restart(next *config.Config) []string {
	whole := (next.Recordings == nil) != (r.first.Config.Recordings == nil)
	var keys []string
	for _, key := range config.Changes(r.first.Config, next) {
		if whole && strings.HasPrefix(key, "recordings.") {
			key = "recordings"
		}
		if !r.claims(key) && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// claims reports whether a part applies a key while it runs.
func (r *reloader) claims(key string) bool {
	return slices.ContainsFunc(r.parts, func(p live) bool {
		return slices.ContainsFunc(p.keys, func(start string) bool {
			rest, ok := strings.CutPrefix(key, start)
			return ok && (rest == "" || strings.ContainsAny(rest[:1], ".["))
		})
	})
}
