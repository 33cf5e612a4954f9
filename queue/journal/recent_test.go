package journal

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestRecentAgreesWithAMap(t *testing.T) {
	t.Parallel()
	const keep = time.Second
	rnd := rand.New(rand.NewPCG(5, 6))
	r, want := NewRecent(keep), map[Hash128]time.Time{}
	now := time.UnixMilli(1_000_000)
	for range 20_000 {
		now = now.Add(time.Duration(rnd.IntN(3)) * 100 * time.Microsecond).Truncate(time.Millisecond)
		if rnd.IntN(2000) == 0 {
			now = now.Add(keep / 2)
		}
		h := Hash128{uint64(rnd.IntN(5_000)), 7}
		at, known := want[h]
		known = known && now.Sub(at) < keep
		if rnd.IntN(4) == 0 {
			r.Forget(h)
			delete(want, h)
			continue
		}
		if _, got := r.Add(h, now, struct{}{}); got != known {
			t.Fatalf("add %v after %v: known %v, want %v", h, now.Sub(at), got, known)
		}
		if !known {
			want[h] = now
		}
	}
	r.Add(Hash128{1 << 60}, now.Add(keep), struct{}{})
	if r.len() != 1 || len(r.parts) != 1 {
		t.Errorf("%d ids in %d parts are left", r.len(), len(r.parts))
	}
}

func TestIDsFromBeforeComeInAnyOrder(t *testing.T) {
	t.Parallel()
	r, now := NewRecent(time.Minute), time.Now()
	for i, age := range []time.Duration{time.Second, 50 * time.Second, 30 * time.Second} {
		r.Add(Hash128{uint64(i)}, now.Add(-age), struct{}{})
	}
	for i, want := range []bool{true, false, true} {
		if _, known := r.Add(Hash128{uint64(i)}, now.Add(20*time.Second), struct{}{}); known != want {
			t.Errorf("id %d: known %v, want %v", i, known, want)
		}
	}
}

func TestOnlySoManyIDsAreRemembered(t *testing.T) {
	t.Parallel()
	r, now := NewRecent(time.Hour), time.Now()
	r.most = 4000
	for i := range r.most + 2 {
		r.Add(Hash128{uint64(i)}, now, struct{}{})
	}
	if n := r.len(); n > r.most || n < r.most/2 {
		t.Errorf("%d ids are remembered", n)
	}
	if _, known := r.Add(Hash128{uint64(r.most) + 1}, now, struct{}{}); !known {
		t.Error("the newest id is not known")
	}
}
