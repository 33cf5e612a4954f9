package daemon

import (
	"os"
	"slices"
	"strings"
	"testing"

	"callrelay/relay/deliver"
)

// TestPageColoursEveryState holds the page, which knows states by their names
// only, to what deliver says of them.
func TestPageColoursEveryState(t *testing.T) {
	style, err := os.ReadFile("../web/page/style.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[deliver.Level]string{deliver.Well: "var(--good)", deliver.Ill: "var(--bad)"}
	for _, s := range slices.Concat(deliver.ServiceStates(), deliver.BreakerStates()) {
		for line := range strings.Lines(string(style)) {
			names, rule, _ := strings.Cut(line, "{")
			if coloured := strings.Contains(strings.ReplaceAll(names, ",", " ")+" ", ".state."+s.Name+" "); coloured && !strings.Contains(rule, colours[s.Level]) {
				t.Errorf("state %s is coloured %s", s.Name, rule)
			}
		}
		if colours[s.Level] != "" && !strings.Contains(string(style), ".state."+s.Name) {
			t.Errorf("state %s has no colour", s.Name)
		}
	}
}
