package asterisk

import "time"

// state is what a tracker keeps across a restart of the relay.
type state struct {
	Last      *time.Time
	Calls     map[string]*call
	Tallies   map[string]tally
	Census    census
	Dials     *bool
	Undialled *bool
}

// State implements [source.Machine].
func (t *tracker) State() any {
	return &state{&t.Last, t.calls, t.tallies, t.census, &t.dials, &t.undialled}
}

// Restored implements [source.Machine].
func (t *tracker) Restored() {
	for _, c := range t.calls {
		for _, l := range c.Legs {
			l.call = c
			t.add(l)
			if l.Wait != nil && !l.Wait.Left.IsZero() {
				t.owed = append(t.owed, l)
			}
		}
	}
}
