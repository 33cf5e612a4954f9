package deliver

import (
	"cmp"
	"slices"
)

// The states of a service.
const (
	StateActive   = "active"
	StateInactive = "inactive"
	StatePaused   = "paused"
	StateOrphaned = "orphaned"
)

// The states of a breaker.
const (
	BreakerClosed   = "closed"
	BreakerHalfOpen = "half-open"
	BreakerOpen     = "open"
)

// A Level says how well a state is.
type Level int

// The levels.
const (
	Doubtful Level = iota
	Well
	Ill
)

// A State is one of a service or of a breaker.
type State struct {
	Name  string
	Text  string
	Level Level
	Holds string // what is said to hold deliveries up; empty: nothing does, or the configuration wants it
}

var serviceStates = []State{
	{StateActive, "deliveries are made", Well, ""},
	{StateInactive, "active = false: nothing new is owed, what waits is held", Doubtful, ""},
	{StatePaused, "by an operator, or by its endpoint with 410: what waits is held", Doubtful, StatePaused},
	{StateOrphaned, "removed from the configuration while something still waits for it", Ill, StateOrphaned},
}

// breakerStates are in the order of the metric relay_breaker_state.
var breakerStates = []State{
	{BreakerClosed, "attempts are made", Well, ""},
	{BreakerHalfOpen, "one attempt probes the endpoint", Doubtful, "breaker " + BreakerHalfOpen},
	{BreakerOpen, "the endpoint is left alone", Ill, "breaker " + BreakerOpen},
}

// ServiceStates returns the states of a service.
func ServiceStates() []State { return slices.Clone(serviceStates) }

// BreakerStates returns the states of a breaker, in the order of the numbers
// that metrics give them.
func BreakerStates() []State { return slices.Clone(breakerStates) }

// StateNamed returns a state of a service or a breaker; the zero State when
// there is none of that name.
func StateNamed(name string) State {
	for _, s := range slices.Concat(serviceStates, breakerStates) {
		if s.Name == name {
			return s
		}
	}
	return State{}
}

// heldBy says what keeps deliveries to a service from being made; empty when
// nothing does.
func heldBy(s Status) string {
	return cmp.Or(StateNamed(s.State).Holds, StateNamed(s.Breaker).Holds)
}
