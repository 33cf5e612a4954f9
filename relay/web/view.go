package web

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"callrelay/queue"
	"callrelay/relay/deliver"
)

// Status is the relay at one moment: what `relay status --json` prints.
type Status struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	State    string    `json:"state"`              // healthy, held up, degraded or unhealthy: see [Status.Judge]
	Troubles []Trouble `json:"troubles,omitempty"` // what is wrong, worst first, then by how much is owed
	Healthy  bool      `json:"healthy"`            // the queue can do its work
	Problem  string    `json:"problem,omitempty"`  // why it is not healthy
	Degraded string    `json:"degraded,omitempty"` // why events take another way, or which services stand still; it is healthy nevertheless
	Ready    bool      `json:"ready"`              // the intake takes events
	Config   Config    `json:"config"`
	Queue    Queue     `json:"queue"`
	Services []Service `json:"services"`
	Sources  []Source  `json:"sources,omitempty"`

	Unbound *Unbound `json:"unbound,omitempty"` // events that no binding matches; nil: there was none

	// Gone are the dead letters, by reason, of services that are no more.
	Gone map[string]map[string]int `json:"dead_of_removed,omitempty"`
	Hub  *queue.HubState           `json:"hub,omitempty"` // nil: there is none
}

// Unbound are the events since the start that no binding matches.
type Unbound struct {
	Count int       `json:"count"`
	Event string    `json:"event"`           // the latest one
	Scope string    `json:"scope,omitempty"` // what it happened at
	At    time.Time `json:"at"`
}

// Config is the configuration in force and what became of the last reload.
type Config struct {
	Path        string    `json:"path"`
	Fingerprint string    `json:"fingerprint"` // made without secrets
	Since       time.Time `json:"since"`       // when the configuration in force was loaded
	LastReload  time.Time `json:"last_reload"` // the last try, whatever came of it
	Success     bool      `json:"success"`     // whether the last try succeeded
	Problems    []string  `json:"problems,omitempty"`
	Warnings    []string  `json:"warnings,omitempty"`
	Restart     []string  `json:"restart,omitempty"` // keys that differ from the running ones and need a restart
}

// Queue is the fill of the queue.
type Queue struct {
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	High     bool  `json:"high"`              // near its limit
	Spooled  int   `json:"spooled,omitempty"` // deliveries that wait here for a cluster that is away
	Lost     int   `json:"lost,omitempty"`    // records that went with streams that somebody deleted
	Degraded bool  `json:"-"`                 // see [Status], which says why
}

// Service is one web service and what is owed to it.
type Service = deliver.Status

// Letters counts the dead letters of a service with a reason; "" is any.
func (s Status) Letters(service, reason string) int {
	n := 0
	count := func(name string, dead map[string]int) {
		for why, letters := range dead {
			if (service == "" || service == name) && (reason == "" || reason == why) {
				n += letters
			}
		}
	}
	for _, one := range s.Services {
		count(one.Name, one.Dead)
	}
	for name, dead := range s.Gone {
		count(name, dead)
	}
	return n
}

// Known is an [ErrNoService] for a service that is not configured, waits for
// nothing and has no dead letters. An empty name stands for all services.
func (s Status) Known(service string) error {
	if service == "" {
		return nil
	}
	var names []string
	for _, one := range s.Services {
		names = append(names, one.Name)
	}
	return KnownService(service, slices.AppendSeq(names, maps.Keys(s.Gone)))
}

// Source is a call server whose events the relay collects itself.
type Source struct {
	Name      string    `json:"name"`
	Type      string    `json:"type"`
	State     string    `json:"state"`
	Since     time.Time `json:"since,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	Behind    float64   `json:"behind_seconds"` // how long ago the oldest event happened that the relay has not taken
	Turned    uint64    `json:"turned"`         // events turned and taken
	Unturned  uint64    `json:"unturned"`       // events that could not be turned, Problem says why
	Problem   string    `json:"problem,omitempty"`
	Gaps      uint64    `json:"gaps"`             // relay_gap events
	Limits    []string  `json:"limits,omitempty"` // what the call server does not let it see, and what mends it
}

// Reload is what became of a reload.
type Reload struct {
	Success     bool     `json:"success"`
	Fingerprint string   `json:"fingerprint,omitempty"`
	Problems    []string `json:"problems,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Restart     []string `json:"restart,omitempty"`
}

// Plan is what a reload would do.
type Plan struct {
	Success     bool           `json:"success"` // false: Problems are why it would be refused
	Fingerprint string         `json:"fingerprint,omitempty"`
	Problems    []string       `json:"problems,omitempty"`
	Warnings    []string       `json:"warnings,omitempty"`
	Services    Difference     `json:"services"`
	Sources     Difference     `json:"sources"`
	Settings    []string       `json:"settings,omitempty"` // other keys that change at once
	Held        map[string]int `json:"held,omitempty"`     // deliveries by service
	Freed       map[string]int `json:"freed,omitempty"`
	Orphaned    map[string]int `json:"orphaned,omitempty"`
	Restart     []string       `json:"restart,omitempty"` // keys that need one
}

// Difference is what becomes of a list, by name.
type Difference struct {
	Added   []string `json:"added,omitempty"`
	Changed []string `json:"changed,omitempty"`
	Gone    []string `json:"gone,omitempty"`
}

// Letter is a dead letter.
type Letter struct {
	queue.Letter
	Body json.RawMessage `json:"body,omitempty"`

	// What is kept of how it came to that, oldest first; only where it is asked for.
	Try       string       `json:"try,omitempty"` // what helps
	Tries     []Attempt    `json:"tries,omitempty"`
	Exchanges []Transcript `json:"exchanges,omitempty"` // what was sent and the answer, where debug was on
}
