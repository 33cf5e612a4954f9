package deliver

import (
	"callrelay/relay/call"
)

// stateChanges knows the state that each service was last seen in. Not safe for
// concurrent use.
type stateChanges struct {
	last map[string]string // nil: nothing was seen yet
}

// look raises an operational event for each service whose state is another one
// than before. What is so from the start of the process is no change.
func (c *stateChanges) look(list []Status, n notices) {
	next := make(map[string]string, len(list))
	for _, s := range list {
		next[s.Name] = s.State
		was, known := c.last[s.Name]
		if c.last == nil || was == s.State || !known && s.State == StateActive {
			continue
		}
		n.state(s)
	}
	c.last = next
}

// state notifies that a service is in another state than before.
func (n notices) state(s Status) {
	event := map[string]any{
		"event": call.ServiceState, "service": s.Name, "state": s.State,
		"waiting": s.Waiting + s.InFlight + s.Retrying,
	}
	if s.Why != "" {
		event["reason"] = s.Why
	}
	n.raise(event)
}
