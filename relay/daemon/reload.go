package daemon

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/web"
)

// reload reads the configuration again and puts it in force in one step. All
// that can fail comes before; after a failure nothing has changed but what is
// told of it.
func (p *Daemon) reload() web.Reload {
	p.reloads.Lock()
	defer p.reloads.Unlock()
	notifyReloading()
	defer NotifyReady()

	next, err := Load(p.path)
	if err == nil && p.recordings != nil && next.Config.Recordings != nil {
		err = p.recordings.Apply(next.Config.Recordings)
	}
	if err != nil {
		return p.refuse(err)
	}
	restart := next.Config.Restart(p.first.Config)
	p.inForce(next, restart)
	p.deliver.Apply(next.Table)
	fingerprint := next.Config.Fingerprint()
	logReload(p.log, nil, restart, fingerprint)
	return web.Reload{
		Success: true, Fingerprint: fingerprint,
		Warnings: ProblemLines(next.Warnings), Restart: restart,
	}
}

// inForce swaps the configuration. Who reads [process.table] sees the old one or
// the new one, never a mixture.
func (p *Daemon) inForce(s *Loaded, restart []string) {
	p.current.Store(s)
	now := time.Now()
	p.state.Store(&web.Config{
		Path: p.path, Fingerprint: s.Config.Fingerprint(), Since: now, LastReload: now, Success: true,
		Warnings: ProblemLines(s.Warnings), Restart: restart,
	})
}

// refuse keeps what is in force and tells of the problems.
func (p *Daemon) refuse(err error) web.Reload {
	problems := []string{err.Error()}
	if all := Problems(nil); errors.As(err, &all) {
		problems = all.Lines()
	}
	state := *p.state.Load()
	state.LastReload, state.Success, state.Problems = time.Now(), false, problems
	p.state.Store(&state)
	logReload(p.log, problems, nil, "")
	p.alarms.raise(map[string]any{"event": call.ConfigRejected, "config": p.path, "problems": len(problems), "problem": problems[0]})
	return web.Reload{Problems: slices.Clone(problems)}
}

func (p *Daemon) configState() web.Config { return *p.state.Load() }

// logReload tells what became of a reload.
func logReload(log *slog.Logger, problems []string, restart []string, fingerprint string) {
	if len(problems) > 0 {
		for _, text := range problems {
			log.Error("reload refused", "err", text)
		}
		return
	}
	log.Info("config reloaded", "fingerprint", fingerprint)
	for _, key := range restart {
		log.Warn("setting takes effect after a restart", "key", key)
	}
}
