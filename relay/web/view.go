package web

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
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
	Hub  *Hub                      `json:"hub,omitempty"` // nil: there is none
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

// Hub is how the queue stands with its hub. Nothing here makes a relay unhealthy.
type Hub struct {
	Edge   string    `json:"edge"` // its name there
	ID     string    `json:"id"`   // of its queue folder
	Linked bool      `json:"linked"`
	Since  time.Time `json:"since"`         // when that began
	Why    string    `json:"why,omitempty"` // why it is not linked
}

// Service is one web service and what is owed to it.
type Service struct {
	Name         string         `json:"name"`
	Group        string         `json:"group,omitempty"`
	Description  string         `json:"description,omitempty"`
	Endpoint     string         `json:"endpoint,omitempty"` // host only: a path may hold secrets
	State        string         `json:"state"`              // active, inactive, paused or orphaned
	Why          string         `json:"why,omitempty"`      // why it is paused
	HeldBy       string         `json:"held_by,omitempty"`  // what keeps deliveries from being made; empty: nothing, or the configuration
	Breaker      string         `json:"breaker"`            // closed, half-open or open
	BreakerUntil time.Time      `json:"breaker_until,omitzero"`
	Next         time.Time      `json:"next_attempt,omitzero"` // the earliest that is known; zero: none is, or at once
	Waiting      int            `json:"waiting"`
	InFlight     int            `json:"in_flight"`
	Retrying     int            `json:"retrying"`
	Oldest       time.Time      `json:"oldest,omitzero"`                 // acceptance of the oldest that waits
	ForRecording int            `json:"waiting_for_recording,omitempty"` // of those that wait
	Uploads      int            `json:"uploads,omitempty"`               // of what is owed: those that carry a recording, where there is one
	Failing      time.Time      `json:"failing_since,omitzero"`          // since when no attempt was delivered
	Dead         map[string]int `json:"dead,omitempty"`                  // dead letters by reason
	NewDead      int            `json:"dead_new,omitempty"`              // of them, those that nobody has looked at
	Delivered    uint64         `json:"delivered"`                       // since the start
	Failed       uint64         `json:"failed"`                          // attempts that failed, since the start
	PerMinute    float64        `json:"per_minute"`                      // delivered in the last minute
	P50          float64        `json:"latency_p50_seconds"`
	P99          float64        `json:"latency_p99_seconds"`
	LastStatus   int            `json:"last_status,omitempty"`
	LastError    string         `json:"last_error,omitempty"`
	LastAt       time.Time      `json:"last_at,omitzero"`
}

// Owed is the number of deliveries not yet finished.
func (s Service) Owed() int { return s.Waiting + s.InFlight + s.Retrying }

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

// DeadLetters is the number of dead letters, whatever their reason.
func (s Service) DeadLetters() int {
	n := 0
	for _, c := range s.Dead {
		n += c
	}
	return n
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
	Seq      uint64          `json:"seq"`
	Service  string          `json:"service"`
	Event    string          `json:"event"`
	ID       string          `json:"id"`
	Call     string          `json:"call,omitempty"`
	Segment  string          `json:"segment,omitempty"`
	Scope    string          `json:"scope,omitempty"`
	Reason   string          `json:"reason"`
	Attempts int             `json:"attempts"`
	Status   int             `json:"status,omitempty"`
	Error    string          `json:"error,omitempty"`
	Accepted time.Time       `json:"accepted"`
	Buried   time.Time       `json:"buried"`
	Body     json.RawMessage `json:"body,omitempty"`

	// What is kept of how it came to that, oldest first; only where it is asked for.
	Try       string       `json:"try,omitempty"` // what helps
	Tries     []Attempt    `json:"tries,omitempty"`
	Exchanges []Transcript `json:"exchanges,omitempty"` // what was sent and the answer, where debug was on
}
