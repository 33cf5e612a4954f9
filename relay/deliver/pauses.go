package deliver

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"
)

// pausesState is the name under which pauses outlast the process.
const pausesState = "paused"

// pauses are the services that an operator or an endpoint has paused, and why.
// Safe for concurrent use.
type pauses struct {
	store store

	mu  sync.Mutex // held while storing: what is stored is what is answered
	why map[string]string
}

func newPauses(s store) *pauses {
	p := &pauses{store: s, why: map[string]string{}}
	if data, err := s.Load(pausesState); err == nil {
		_ = json.Unmarshal(data, &p.why) // unreadable: nothing is known to be paused
	}
	return p
}

// of returns why a service is paused, and whether it is.
func (p *pauses) of(service string) (why string, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	why, paused = p.why[service]
	return why, paused
}

// pause stores a pause. It holds when pause returns nil.
func (p *pauses) pause(service, why string) error {
	return p.change(func(m map[string]string) { m[service] = why })
}

func (p *pauses) resume(service string) error {
	return p.change(func(m map[string]string) { delete(m, service) })
}

func (p *pauses) change(edit func(map[string]string)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := maps.Clone(p.why)
	edit(next)
	data, err := json.Marshal(next)
	if err != nil {
		return fmt.Errorf("store pauses: %w", err)
	}
	if err := p.store.Save(pausesState, data); err != nil {
		return fmt.Errorf("store pauses: %w", err)
	}
	p.why = next
	return nil
}
