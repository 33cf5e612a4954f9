package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/deliver"
	callsource "callrelay/relay/source"
	"callrelay/relay/source/freeswitch"
	"callrelay/relay/web"
)

// operator is the process as package web sees it: each method asks one of the
// parts and says the answer in web's words.
type operator struct{ *Daemon }

func (p *Daemon) operator() web.Relay {
	o := operator{p}
	return web.Relay{
		Status:   o.status,
		Settings: func() string { return p.table().Config.Text() },
		Reload:   func(context.Context) web.Reload { return p.reload() },
		Plan:     o.plan,
		Feeds:    o.feeds,
		Letters:  deadLetters{p.queue, p.deadSeen},
		Attempts: o,
		Change:   o.change,
		Resend:   o.resend,
		Test:     o.test,
		Erase:    o.erase,
		Backup:   o.backup,
		Doctor:   o.doctor,
	}
}

func (p operator) status() web.Status {
	st := web.Status{
		Version: p.version, PID: os.Getpid(), Started: p.started,
		Healthy: true, Ready: !p.stopping.Load(),
		Config: p.configState(), Queue: p.queueState(), Hub: p.hubState(),
	}
	if err := p.queue.Health(); err != nil {
		st.Healthy, st.Problem = false, err.Error()
	}
	if err := p.queue.Degraded(); err != nil {
		st.Degraded = err.Error()
	}
	if st.Degraded == "" {
		st.Degraded = cmp.Or(p.descriptors.Problem(), freeswitch.Spooled(time.Now()))
	}
	services := p.deliver.Status()
	for _, s := range services {
		s.NewDead = p.deadSeen.fresh(s.Name, s.DeadLetters())
		st.Services = append(st.Services, s)
	}
	st.Gone = p.deliver.Gone(services)
	for _, s := range p.sources.status() {
		st.Sources = append(st.Sources, source(s))
	}
	if u := p.intake.Unbound(); u.Count > 0 {
		st.Unbound = &web.Unbound{Count: u.Count, Event: u.Event, Scope: u.Scope, At: u.At}
	}
	st.Judge()
	return st
}

func (p *Daemon) queueState() web.Queue {
	return queueView(p.queue.Stats(), p.queue.Losses(), p.queue.Degraded())
}

func queueView(s queue.Stats, losses []queue.Loss, degraded error) web.Queue {
	lost := 0
	for _, l := range losses {
		lost += l.Records
	}
	return web.Queue{Bytes: s.Bytes, MaxBytes: s.MaxBytes, High: s.High, Spooled: s.Spooled, Lost: lost, Degraded: degraded != nil}
}

// hubState is nil where there is no hub.
func (p *Daemon) hubState() *queue.HubState {
	if s, ok := p.queue.HubState(); ok {
		return &s
	}
	return nil
}

// feeds returns the bindings of a service in words, and its URL, of a
// query only that there is one.
func (p operator) feeds(service string) (bindings []string, url string) {
	c := p.table().Config
	for _, b := range c.Bindings {
		if slices.Contains(b.Services, service) {
			bindings = append(bindings, b.String())
		}
	}
	for _, s := range c.Services {
		if s.Name == service {
			if path, query, _ := strings.Cut(s.URL, "?"); query != "" {
				url = path + "?…" // a query may hold a token
			} else {
				url = path
			}
		}
	}
	return bindings, url
}

// known is an error unless the service is configured or has deliveries waiting.
func (p operator) known(service string) error {
	var names []string
	for _, s := range p.deliver.Status() {
		names = append(names, s.Name)
	}
	return web.KnownService(service, names)
}

// configured is an error for a service that is not in relay.toml.
func (p operator) configured(service string) error {
	if p.table().Service(service) != nil {
		return nil
	}
	return cmp.Or(p.known(service), fmt.Errorf("%w: service %q is not configured", web.ErrRefused, service))
}

func (p operator) change(ctx context.Context, service, change, why string) (int, error) {
	if err := p.known(service); err != nil {
		return 0, err
	}
	switch change {
	case web.Pause:
		return 0, p.deliver.Pause(service, why)
	case web.Resume:
		return 0, p.deliver.Resume(service)
	case web.Probe:
		return 0, p.deliver.Probe(service)
	case web.Drop:
		return p.dropService(ctx, service)
	default:
		return 0, fmt.Errorf("%w: %q is nothing to do to a service", web.ErrRefused, change)
	}
}

func (p operator) dropService(ctx context.Context, service string) (int, error) {
	p.reloader.mu.Lock() // the service must not return meanwhile
	defer p.reloader.mu.Unlock()
	if p.table().Service(service) != nil {
		return 0, fmt.Errorf("%w: service %q is configured; take it out of %s and reload first", web.ErrRefused, service, p.path)
	}
	return p.queue.Sweep(ctx, service, time.Now(), queue.Death{Reason: deliver.ReasonRemoved, Error: "service removed"})
}

// resend puts deliveries of a configured service back.
func (p operator) resend(ctx context.Context, f web.Filter, dry bool, each func(int)) (web.Resent, error) {
	if err := p.configured(f.Service); err != nil {
		return web.Resent{}, err
	}
	a := queue.Again{Service: f.Service, Call: f.Call, Since: f.Since, Until: f.Until, ID: func(body []byte) string {
		var a web.Attempt
		_ = json.Unmarshal(body, &a)
		return a.ID
	}}
	done, err := p.queue.SendAgain(ctx, a, dry, each)
	return web.Resent(done), err
}

// Attempts implements [web.Attempts].
func (p operator) Attempts(ctx context.Context, service string, limit int) ([]web.Attempt, error) {
	logged, err := p.queue.History(ctx, queue.Attempts, service, limit)
	return records(logged, attempt), err
}

// Transcripts implements [web.Attempts].
func (p operator) Transcripts(ctx context.Context, service string, limit int) ([]web.Transcript, error) {
	if err := p.known(service); err != nil {
		return nil, err
	}
	logged, err := p.queue.History(ctx, queue.Debug, service, limit)
	return records(logged, transcript), err
}

// Follow implements [web.Attempts].
func (p operator) Follow(ctx context.Context, service string, visit func(web.Attempt)) error {
	if service != "" {
		if err := p.known(service); err != nil {
			return err
		}
	}
	return p.queue.Follow(ctx, service, func(l queue.Logged) { visit(attempt(l)) })
}

func records[T any](logged []queue.Logged, read func(queue.Logged) T) []T {
	list := make([]T, len(logged))
	for i, l := range logged {
		list[i] = read(l)
	}
	return list
}

// attempt reads a record of ATTEMPTS. What a record of an older version lacks
// stays empty.
func attempt(l queue.Logged) web.Attempt {
	var a web.Attempt
	_ = json.Unmarshal(l.Body, &a)
	a.Service, a.Outcome, a.At = l.Service, l.Outcome, l.At
	return a
}

func transcript(l queue.Logged) web.Transcript {
	var t web.Transcript
	_ = json.Unmarshal(l.Body, &t)
	t.Service, t.At = l.Service, l.At
	return t
}

// deadLetters is the dead letters of a queue.
type deadLetters struct {
	queue *queue.Queue
	seen  *deadSeen
}

// Letters implements [web.Letters].
func (b deadLetters) Letters(ctx context.Context, f web.Filter, visit func(web.Letter) bool) error {
	if (web.Filter{Service: f.Service}).Query().Encode() == f.Query().Encode() { // no part of them only
		b.seen.look(f.Service)
	}
	return b.queue.Letters(ctx, queue.Filter(f), func(l queue.Letter) bool { return visit(Letter(l)) })
}

// Story implements [web.Letters]. What is logged last may come a moment after the
// letter.
func (b deadLetters) Story(ctx context.Context, l *web.Letter) error {
	until := l.Buried.Add(storyGrace)
	l.Try = web.Advice(l.Status, l.Error)
	err := b.queue.Between(ctx, queue.Attempts, l.Service, l.Accepted, until, func(logged queue.Logged) bool {
		if a := attempt(logged); a.ID == l.ID {
			l.Tries = append(l.Tries, a)
		}
		return true
	})
	if err != nil {
		return err
	}
	return b.queue.Between(ctx, queue.Debug, l.Service, l.Accepted, until, func(logged queue.Logged) bool {
		if t := transcript(logged); t.ID == l.ID {
			l.Exchanges = append(l.Exchanges, t)
		}
		return true
	})
}

// storyGrace is how much later than its letter the record of an attempt may lie.
const storyGrace = time.Minute

// Replay implements [web.Letters].
func (b deadLetters) Replay(ctx context.Context, f web.Filter, each func(web.Letter)) (int, error) {
	return b.queue.Replay(ctx, queue.Filter(f), func(l queue.Letter) { each(Letter(l)) })
}

// Drop implements [web.Letters].
func (b deadLetters) Drop(ctx context.Context, f web.Filter) (int, error) {
	return b.queue.DropLetters(ctx, queue.Filter(f))
}

// Letter is a dead letter of the queue with its event.
func Letter(l queue.Letter) web.Letter { return web.Letter{Letter: l, Body: l.Body} }

// test makes one attempt at a service outside the queue.
func (p operator) test(ctx context.Context, service string, event []byte) (web.Transcript, error) {
	if err := p.configured(service); err != nil {
		return web.Transcript{}, err
	}
	events, err := DecodeEvent(p.table().Config, event)
	if err != nil {
		return web.Transcript{}, err
	}
	x, err := p.deliver.Test(ctx, service, &events[0])
	return web.Transcript(x), err
}

func source(s callsource.Status) web.Source {
	v := web.Source{
		Name: s.Name, Type: s.Type, State: "disconnected", Since: s.Since, LastError: cmp.Or(s.LastError, s.Refusal),
		Behind: s.Behind.Seconds(), Turned: s.Turned, Unturned: s.Unturned, Problem: s.Problem, Gaps: s.Gaps, Limits: s.Limits,
	}
	if s.Connected {
		v.State = "connected"
	}
	return v
}

// doctor looks through the queue of the running relay.
func (p operator) doctor(ctx context.Context) []queue.Finding {
	found := p.queue.Examine(ctx, Configured(p.table().Config))
	for _, st := range p.sources.status() {
		if st.LastError != "" {
			found = append(found, queue.Finding{Level: queue.Doubtful, What: "source " + st.Name, Text: st.LastError})
		}
		for _, limit := range st.Limits {
			what, mend, _ := strings.Cut(limit, "; ")
			found = append(found, queue.Finding{Level: queue.Doubtful, What: "source " + st.Name, Text: what, Do: mend})
		}
	}
	return found
}

// Configured are the names of all services.
func Configured(c *config.Config) []string {
	names := make([]string, len(c.Services))
	for i, s := range c.Services {
		names[i] = s.Name
	}
	return names
}

// backup writes what the queue holds.
func (p operator) backup(ctx context.Context, create func(path string) (io.Writer, error)) error {
	m, err := p.queue.Backup(ctx, create)
	if err == nil {
		p.log.Info("queue backed up", "streams", len(m.Streams))
	}
	return err
}
