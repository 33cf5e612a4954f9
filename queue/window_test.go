package queue

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestWindowStaysSmallBesideAStuckDelivery(t *testing.T) {
	t.Parallel()
	var w window
	for seq := uint64(10); seq < 100_000; seq += 3 {
		w.take(seq)
		if seq != 40 {
			w.done(seq)
		}
	}
	if w.floor() != 39 || w.open != 1 || w.high != 99_997 {
		t.Errorf("got floor %d, %d open, high %d", w.floor(), w.open, w.high)
	}
	if len(w.slots) > 3000 {
		t.Errorf("%d slots for one open delivery", len(w.slots))
	}
	w.done(40)
	if w.floor() != w.high || len(w.slots) != 0 {
		t.Errorf("got floor %d of %d with %d slots", w.floor(), w.high, len(w.slots))
	}
}

// TestWindowAgreesWithASet compares with the plainest thing that can be right,
// through restarts at random moments.
func TestWindowAgreesWithASet(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	var w window
	open, last := map[uint64]bool{}, uint64(0)
	for range 20_000 {
		switch rnd.IntN(8) {
		case 0, 1, 2:
			last += 1 + rnd.Uint64N(3)
			w.take(last)
			open[last] = true
		case 7:
			if rnd.IntN(200) == 0 {
				seqs := w.unfinished(nil)
				w.restore(w.high, seqs)
				for _, seq := range seqs {
					if !w.take(seq) {
						t.Fatalf("%d is not handed out again", seq)
					}
				}
			}
		default:
			for seq := range open {
				w.done(seq)
				w.done(seq)
				delete(open, seq)
				break
			}
		}
		floor := last
		for seq := range open {
			floor = min(floor, seq-1)
		}
		if got := w.floor(); got != floor || w.open != len(open) {
			t.Fatalf("got floor %d and %d open, want %d and %d", got, w.open, floor, len(open))
		}
	}
	for _, seq := range w.unfinished(nil) {
		if !open[seq] {
			t.Errorf("%d is finished", seq)
		}
	}
}

func TestWindowForgetsWhatTheStreamLost(t *testing.T) {
	t.Parallel()
	var w window
	w.restore(100, []uint64{50, 90})
	w.clamp(80)
	if w.floor() != 49 || w.open != 1 || w.high != 80 {
		t.Errorf("got floor %d, %d open, high %d", w.floor(), w.open, w.high)
	}
	if !w.take(81) {
		t.Error("a sequence used again is not handed out")
	}
	w.passed(81)
	if got := w.unfinished(nil); !slices.Equal(got, []uint64{81}) {
		t.Errorf("got %v, want only what is stored", got)
	}
}

func TestRecentAgreesWithAMap(t *testing.T) {
	t.Parallel()
	const keep = time.Second
	rnd := rand.New(rand.NewPCG(5, 6))
	r, want := newRecent(keep), map[hash128]time.Time{}
	now := time.UnixMilli(1_000_000)
	for range 20_000 {
		now = now.Add(time.Duration(rnd.IntN(3)) * 100 * time.Microsecond).Truncate(time.Millisecond)
		if rnd.IntN(2000) == 0 {
			now = now.Add(keep / 2)
		}
		h := hash128{uint64(rnd.IntN(5_000)) * 1024, 7} // many share a place
		at, known := want[h]
		known = known && now.Sub(at) < keep
		if rnd.IntN(4) == 0 {
			r.forget(h)
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
		r.expire(sinceBegan(now.Add(keep)).Milliseconds())
	}
	if r.used != 0 || len(r.table) > 4096 {
		t.Errorf("%d ids and a table of %d are left", r.used, len(r.table))
	}
}

func TestRecentNumbersNeverRunOut(t *testing.T) {
	t.Parallel()
	r := newRecent(time.Minute)
	now := time.UnixMilli(1_000_000)
	r.first, r.next = 1<<31-chunkLen, 1<<31-chunkLen
	for i := range 3 * chunkLen {
		if !r.add(hash128{uint64(i)}, now) {
			t.Fatalf("id %d is known", i)
		}
	}
	for i := range 3 * chunkLen {
		if r.add(hash128{uint64(i)}, now) {
			t.Fatalf("id %d is not known", i)
		}
	}
	if r.next > 4*chunkLen {
		t.Errorf("the numbers go on at %d", r.next)
	}
}
