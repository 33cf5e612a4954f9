package deliver

import (
	"fmt"
	"testing"
)

// TestStates holds what each state means to those who show it: its number in
// the metrics, how well it is, and whether it holds deliveries.
func TestStates(t *testing.T) {
	var got []string
	for _, s := range ServiceStates() {
		got = append(got, fmt.Sprintf("%s %d %q", s.Name, s.Level, heldBy(Status{State: s.Name})))
	}
	for _, s := range BreakerStates() {
		got = append(got, fmt.Sprintf("%s %d %q %v", s.Name, s.Level, heldBy(Status{State: StateActive, Breaker: s.Name}), breakerValue(s.Name)))
	}
	want := []string{
		`active 1 ""`, `inactive 0 ""`, `paused 0 "paused"`, `orphaned 2 "orphaned"`,
		`closed 1 "" 0`, `half-open 0 "breaker half-open" 1`, `open 2 "breaker open" 2`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("states are %q, want %q", got, want)
	}
	for _, s := range append(ServiceStates(), BreakerStates()...) {
		if s.Text == "" || StateNamed(s.Name) != s {
			t.Errorf("state %s is not described, or is there twice", s.Name)
		}
	}
}
