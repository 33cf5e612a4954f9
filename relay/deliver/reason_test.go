package deliver

import (
	"slices"
	"testing"
)

// TestReasons finds a reason that was dropped: it could not be asked for, and
// would be missing from the metrics.
func TestReasons(t *testing.T) {
	if got, want := Reasons(), []string{"rejected", "expired", "render", "overflow", "removed"}; !slices.Equal(got, want) {
		t.Errorf("reasons = %v, want %v", got, want)
	}
	for _, reason := range Reasons() {
		if Why(reason) == "" {
			t.Errorf("reason %s is not described", reason)
		}
	}
}
