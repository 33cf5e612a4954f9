package deliver

import (
	"slices"
	"testing"
)

// TestReasons finds a reason that was dropped: it could not be asked for, and
// would be missing from the metrics.
func TestReasons(t *testing.T) {
	var got []string
	for _, r := range Reasons() {
		if got = append(got, r.Name); r.Text == "" {
			t.Errorf("reason %s is not described", r.Name)
		}
	}
	if want := []string{"rejected", "expired", "render", "overflow", "removed"}; !slices.Equal(got, want) {
		t.Errorf("reasons = %v, want %v", got, want)
	}
}
