package deliver

import (
	"fmt"
	"slices"
	"testing"
)

func TestStateChangesAreRaised(t *testing.T) {
	var raised []string
	n := newNotices(func(e map[string]any) {
		raised = append(raised, fmt.Sprint(e["service"], " ", e["state"], " ", e["reason"], " ", e["waiting"]))
	})
	var c stateChanges
	for _, list := range [][]Status{
		{{Name: "crm", State: StateActive}, {Name: "old", State: StatePaused}}, // as it was at the start
		{{Name: "crm", State: StatePaused, Why: "410", Waiting: 2, Retrying: 1}, {Name: "old", State: StatePaused}},
		{{Name: "crm", State: StatePaused, Why: "410"}, {Name: "old", State: StateOrphaned, Waiting: 4}, {Name: "new", State: StateActive}},
		{{Name: "crm", State: StateActive}, {Name: "off", State: StateInactive}},
	} {
		c.look(list, n)
	}
	want := []string{"crm paused 410 3", "old orphaned <nil> 4", "crm active <nil> 0", "off inactive <nil> 0"}
	if !slices.Equal(raised, want) {
		t.Errorf("got %q, want %q", raised, want)
	}
}
