package daemon

import "testing"

// What is in use counts once and a half where it is much, and no small heap is
// collected for a few megabytes.
func TestGarbageIsBounded(t *testing.T) {
	for _, test := range []struct {
		inUse uint64
		want  int
	}{{0, 100}, {8 << 20, 100}, {10 << 20, 80}, {16 << 20, 50}, {1 << 30, 50}} {
		if got := garbagePercent(test.inUse); got != test.want {
			t.Errorf("%d MiB in use: GOGC %d, want %d", test.inUse>>20, got, test.want)
		}
	}
}
