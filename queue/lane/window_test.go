package lane

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestWindowStaysSmallBesideAStuckDelivery(t *testing.T) {
	t.Parallel()
	var w Window
	for seq := uint64(10); seq < 100_000; seq += 3 {
		w.Take(seq)
		if seq != 40 {
			w.Done(seq)
		}
	}
	if w.Floor() != 39 || w.Open != 1 || w.High != 99_997 {
		t.Errorf("got floor %d, %d open, high %d", w.Floor(), w.Open, w.High)
	}
	if len(w.slots) > 3000 {
		t.Errorf("%d slots for one open delivery", len(w.slots))
	}
	w.Done(40)
	if w.Floor() != w.High || len(w.slots) != 0 {
		t.Errorf("got floor %d of %d with %d slots", w.Floor(), w.High, len(w.slots))
	}
}

// TestWindowAgreesWithASet compares with the plainest thing that can be right,
// through restarts at random moments.
func TestWindowAgreesWithASet(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	var w Window
	open, last := map[uint64]bool{}, uint64(0)
	for range 20_000 {
		switch rnd.IntN(8) {
		case 0, 1, 2:
			last += 1 + rnd.Uint64N(3)
			w.Take(last)
			open[last] = true
		case 7:
			if rnd.IntN(200) == 0 {
				seqs := w.Unfinished(nil)
				w.Restore(w.High, seqs)
				for _, seq := range seqs {
					if !w.Take(seq) {
						t.Fatalf("%d is not handed out again", seq)
					}
				}
			}
		default:
			for seq := range open {
				w.Done(seq)
				w.Done(seq)
				delete(open, seq)
				break
			}
		}
		floor := last
		for seq := range open {
			floor = min(floor, seq-1)
		}
		if got := w.Floor(); got != floor || w.Open != len(open) {
			t.Fatalf("got floor %d and %d open, want %d and %d", got, w.Open, floor, len(open))
		}
	}
	for _, seq := range w.Unfinished(nil) {
		if !open[seq] {
			t.Errorf("%d is finished", seq)
		}
	}
}

func TestWindowForgetsWhatTheStreamLost(t *testing.T) {
	t.Parallel()
	var w Window
	w.Restore(100, []uint64{50, 90})
	w.Clamp(80)
	if w.Floor() != 49 || w.Open != 1 || w.High != 80 {
		t.Errorf("got floor %d, %d open, high %d", w.Floor(), w.Open, w.High)
	}
	if !w.Take(81) {
		t.Error("a sequence used again is not handed out")
	}
	w.Passed(81)
	if got := w.Unfinished(nil); !slices.Equal(got, []uint64{81}) {
		t.Errorf("got %v, want only what is stored", got)
	}
}
