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
		h := Hash128{uint64(rnd.IntN(5_000)) * 1024, 7} // many share a place
		at, known := want[h]
		known = known && now.Sub(at) < keep
		if rnd.IntN(4) == 0 {
			r.Forget(h)
			delete(want, h)
			continue
		}
		if got := r.add(h, now); got == known {
			t.Fatalf("add %v after %v: new %v, want %v", h, now.Sub(at), got, !known)
		}
		if !known {
			want[h] = now
		}
	}
	for range 4 {
		r.expire(SinceBegan(now.Add(keep)).Milliseconds())
	}
	if r.used != 0 || len(r.table) > 4096 {
		t.Errorf("%d ids and a table of %d are left", r.used, len(r.table))
	}
}

func TestRecentNumbersNeverRunOut(t *testing.T) {
	t.Parallel()
	r := NewRecent(time.Minute)
	now := time.UnixMilli(1_000_000)
	r.first, r.next = 1<<31-chunkLen, 1<<31-chunkLen
	for i := range 3 * chunkLen {
		if !r.add(Hash128{uint64(i)}, now) {
			t.Fatalf("id %d is known", i)
		}
	}
	for i := range 3 * chunkLen {
		if r.add(Hash128{uint64(i)}, now) {
			t.Fatalf("id %d is not known", i)
		}
	}
	if r.next > 4*chunkLen {
		t.Errorf("the numbers go on at %d", r.next)
	}
}
