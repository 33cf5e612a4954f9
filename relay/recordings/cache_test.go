package recordings

import "testing"

func TestCacheKeepsWhatWasUsedLast(t *testing.T) {
	c := newCache[string, int](2)
	c.put("a", 1)
	c.put("b", 2)
	c.put("a", 3) // in its place
	c.put("c", c.fetch("a", func() int { return 0 })+1)
	for key, want := range map[string]int{"a": 3, "c": 4} {
		if got, ok := c.get(key); !ok || got != want {
			t.Errorf("get(%s) = %d, %v, want %d", key, got, ok, want)
		}
	}
	if _, ok := c.get("b"); ok || len(c.items) != 2 || c.order.Len() != 2 {
		t.Errorf("the one used least lately is kept, or more than 2: %d", len(c.items))
	}
	if got := c.fetch("d", func() int { return 5 }); got != 5 {
		t.Errorf("fetch = %d, want 5", got)
	}
}
