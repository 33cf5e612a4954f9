package daemon

import (
	"encoding/json"
	"maps"
	"sync"
)

// deadSeenState is the name under which it outlasts the process.
const deadSeenState = "dead-seen"

// deadSeen knows how many dead letters of each service an operator has looked
// at, so that those that came since are noticed. Safe for concurrent use.
type deadSeen struct {
	store stateStore

	mu    sync.Mutex
	count map[string]int // by service
	now   map[string]int // the latest counts
}

// stateStore keeps the state of the parts. What was never saved is nothing,
// without an error.
type stateStore interface {
	Save(name string, data []byte) error
	Load(name string) ([]byte, error)
}

func newDeadSeen(s stateStore) *deadSeen {
	d := &deadSeen{store: s, count: map[string]int{}, now: map[string]int{}}
	if data, err := s.Load(deadSeenState); err == nil {
		_ = json.Unmarshal(data, &d.count) // unreadable: nothing was looked at
	}
	return d
}

// fresh returns how many of a service's letters came since they were looked at.
// Letters that are gone are taken off what was seen.
func (d *deadSeen) fresh(service string, letters int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now[service] = letters
	d.count[service] = min(d.count[service], letters)
	return letters - d.count[service]
}

// look notes that the letters of a service were looked at; "" is all of them.
// That is forgotten in a crash when it cannot be stored.
func (d *deadSeen) look(service string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := maps.Clone(d.count)
	for name, letters := range d.now {
		if service == "" || service == name {
			d.count[name] = letters
		}
	}
	if maps.Equal(before, d.count) {
		return
	}
	if data, err := json.Marshal(d.count); err == nil {
		_ = d.store.Save(deadSeenState, data)
	}
}
