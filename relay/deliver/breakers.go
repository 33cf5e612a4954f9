package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/call"
)

// breakersState is the name under which the breakers that are not closed
// outlast the process.
const breakersState = "breakers"

// A store keeps small states beyond the process.
type store interface {
	Save(name string, data []byte) error
	Load(name string) ([]byte, error)
}

// recall reads a state that outlasts the process. One that cannot be read is taken
// for none, and logged: lost says what that means.
func recall[T any](s interface{ Load(string) ([]byte, error) }, name string, log *slog.Logger, lost string) (v T) {
	data, err := s.Load(name)
	if errors.Is(err, queue.ErrNotFound) {
		return v
	}
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		log.Error(lost, "err", fmt.Errorf("read %s: %w", name, err))
		return *new(T)
	}
	return v
}

// breakers are those of all endpoints that have a service. Safe for concurrent
// use.
type breakers struct {
	store  store
	notify func(*endpoint, change)
	saving sync.Mutex // puts what is stored in order

	mu        sync.Mutex
	endpoints map[string]*endpoint // by URL as written
	notClosed map[string]bool      // keys of those that are not closed, as stored
}

// endpoint is what a URL as written stands for: its breaker and the runners of
// the services that share it.
type endpoint struct {
	*breaker
	url string

	mu      sync.Mutex
	runners map[*runner]struct{}
	hushed  bool // its opening was not announced, so its closing is not either
}

func newBreakers(s store, log *slog.Logger, notify func(*endpoint, change)) *breakers {
	b := &breakers{store: s, notify: notify, endpoints: map[string]*endpoint{}, notClosed: map[string]bool{}}
	for _, key := range recall[[]string](s, breakersState, log, "breakers not known, so all begin closed") {
		b.notClosed[key] = true
	}
	return b
}

// endpoint returns that of a URL, making it with the settings when it is new. A
// breaker that was not closed when the relay ended starts half-open.
func (b *breakers) endpoint(url string, settings config.Breaker) *endpoint {
	b.mu.Lock()
	e, ok := b.endpoints[url]
	if !ok {
		e = &endpoint{url: url, runners: map[*runner]struct{}{}}
		e.breaker = newBreaker(settings, func(c change) { b.changed(e, c) })
		b.endpoints[url] = e
	}
	notClosed := !ok && b.notClosed[endpointKey(url)]
	b.mu.Unlock()
	if notClosed {
		e.halfOpen()
	}
	return e
}

// keep forgets the endpoints that no service has any more.
func (b *breakers) keep(used map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for url, e := range b.endpoints {
		if !used[url] {
			e.stop()
			delete(b.endpoints, url)
			delete(b.notClosed, endpointKey(url))
		}
	}
}

// stop ends all timers.
func (b *breakers) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.endpoints {
		e.stop()
	}
}

func (b *breakers) changed(e *endpoint, c change) {
	if (c.from == BreakerClosed) != (c.to == BreakerClosed) {
		b.save(e.url, c.to != BreakerClosed)
	}
	b.notify(e, c)
	for _, r := range e.list() {
		r.breakerChanged(c)
	}
}

// save keeps which breakers are not closed. When it fails, a restart takes them
// to be as they were stored last, which costs a few attempts.
func (b *breakers) save(url string, notClosed bool) {
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	if notClosed {
		b.notClosed[endpointKey(url)] = true
	} else {
		delete(b.notClosed, endpointKey(url))
	}
	data, err := json.Marshal(slices.Sorted(maps.Keys(b.notClosed)))
	b.mu.Unlock()
	if err == nil {
		_ = b.store.Save(breakersState, data)
	}
}

// endpointKey stands for a URL where it is stored: the URL may hold secrets.
func endpointKey(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:16])
}

func (e *endpoint) join(r *runner) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runners[r] = struct{}{}
}

func (e *endpoint) leave(r *runner) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.runners, r)
}

// announce calls raise with the operational event for an opening or closing of
// the breaker. One that a delivery of such an event brought about is not
// announced, and neither is its end.
func (e *endpoint) announce(opened, operational bool, raise func(event string)) {
	e.mu.Lock()
	if opened {
		e.hushed = operational
	}
	hushed := e.hushed
	e.mu.Unlock()
	switch {
	case hushed:
	case opened:
		raise(call.BreakerOpened)
	default:
		raise(call.BreakerClosed)
	}
}

func (e *endpoint) list() []*runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Keys(e.runners))
}
