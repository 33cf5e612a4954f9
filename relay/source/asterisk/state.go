package asterisk

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// stateFormat is the number of the form in which a state is kept. One of
// another form is not read: the source then starts as if for the first time.
const stateFormat = 2

// state is what a source keeps across a restart of the relay: the calls in
// progress, and the events that the relay had not taken yet.
type state struct {
	Format  int               `json:"format"`
	Last    time.Time         `json:"last"`
	Calls   map[string]*call  `json:"calls"`
	Tallies map[string]tally  `json:"tallies"`
	Dials   bool              `json:"dials"`
	Pending []json.RawMessage `json:"pending"`
}

// Save implements [source.Machine].
func (t *tracker) Save(pending []json.RawMessage) ([]byte, error) {
	return json.Marshal(state{
		Format: stateFormat, Last: t.Last, Calls: t.calls, Tallies: t.tallies, Dials: t.dials, Pending: pending,
	})
}

// Restore implements [source.Machine].
func (t *tracker) Restore(data []byte) ([]json.RawMessage, error) {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if s.Format != stateFormat {
		return nil, fmt.Errorf("read state: format %d, want %d", s.Format, stateFormat)
	}
	t.Last, t.dials = s.Last, s.Dials
	for id, c := range s.Calls {
		t.calls[id] = c
		for _, l := range c.Legs {
			l.call = c
			t.add(l)
			if l.Wait != nil && !l.Wait.Left.IsZero() {
				t.owed = append(t.owed, l)
			}
		}
	}
	for _, l := range t.legs {
		if l.open() {
			relink(t, l.Segment)
		}
	}
	maps.Copy(t.tallies, s.Tallies)
	return s.Pending, nil
}

// relink joins a segment's recordings with the legs that they are of.
func relink(t *tracker, s *segment) {
	for _, r := range s.Sources {
		if r.leg = t.legs[r.Leg]; r.leg != nil {
			r.Files = r.leg.Files
		}
	}
}
