package deliver

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callrelay/queue"
)

// moves are the transitions that the tests of this package have driven.
var moves recorder

// recorder notes transitions.
type recorder struct {
	mu   sync.Mutex
	seen map[[2]phase]int
}

func (r *recorder) note(from, to phase) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[[2]phase]int{}
	}
	r.seen[[2]phase{from, to}]++
}

// report lists the transitions that were driven and are not allowed, and those
// that are allowed and no test drove.
func (r *recorder) report() (forbidden, missing []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for move := range r.seen {
		if !slices.Contains(transitions[move[0]], move[1]) {
			forbidden = append(forbidden, fmt.Sprint(move[0], " -> ", move[1]))
		}
	}
	for from, list := range transitions {
		for _, to := range list {
			if r.seen[[2]phase{phase(from), to}] == 0 {
				missing = append(missing, fmt.Sprint(phase(from), " -> ", to))
			}
		}
	}
	return forbidden, missing
}

// transitionsHold is a test over all the others: none has driven a transition
// that the table lacks, and each in the table was driven.
func transitionsHold(all bool) bool {
	forbidden, missing := moves.report()
	if !all {
		missing = nil
	}
	for _, move := range forbidden {
		fmt.Fprintln(os.Stderr, "a delivery went", move, "which is not among the transitions")
	}
	for _, move := range missing {
		fmt.Fprintln(os.Stderr, "no test had a delivery go", move)
	}
	return len(forbidden)+len(missing) == 0
}

// TestTheManualDrawsEveryTransition holds the manual's page to the table.
func TestTheManualDrawsEveryTransition(t *testing.T) {
	page, err := os.ReadFile("../manual/deliveries.md")
	if err != nil {
		t.Fatal(err)
	}
	for from, list := range transitions {
		if len(list) == 0 {
			continue
		}
		var names []string
		for _, to := range list {
			names = append(names, to.String())
		}
		row := fmt.Sprintf("| `%s` | %s |", phase(from), strings.Join(names, ", "))
		if !strings.Contains(string(page), row) {
			t.Errorf("the manual lacks the row %s", row)
		}
	}
}

// TestWhatWaitsEndsInEveryWay has a delivery wait in memory for each reason, and
// ends that in each way.
func TestWhatWaitsEndsInEveryWay(t *testing.T) {
	for _, why := range []phase{phaseEndpoint, phaseAsked, phaseRecording, phaseUnstored} {
		for _, end := range []struct {
			name  string
			tried int
			do    func(b *bench)
			want  tally
		}{
			{"it expires", 0, func(b *bench) { b.expire(time.Now().Add(1000 * 24 * time.Hour)) }, tally{dead: 1}},
			{"the runner lets go", 0, func(b *bench) { b.release() }, tally{fresh: 1}},
			{"the runner lets go after an attempt", 1, func(b *bench) { b.release() }, tally{parked: 1, parks: 1}},
			{"it comes due", 0, func(b *bench) { b.after(2 * time.Hour) }, tally{held: 1}},
		} {
			t.Run(why.String()+": "+end.name, func(t *testing.T) {
				bubble(t, "", func(b *bench) {
					d := b.takeOut()
					d.attempts += end.tried
					d.to(phaseTurn)
					d.to(phaseStoring)
					if why == phaseUnstored {
						d.death = &queue.Death{Reason: ReasonRejected}
					}
					b.keep(d, &wait{phase: why}, time.Hour)
					end.do(b)
					want := end.want
					if d.death != nil && want.parked > 0 {
						want = tally{fresh: 1} // an attempt of what is dead does not count
					}
					if got := b.lane.tally(); got != want {
						t.Errorf("%+v, want %+v", got, want)
					}
				})
			})
		}
	}
}

// takeOut takes a delivery from the lane, as a fetch does, and leaves the runner
// held.
func (b *bench) takeOut() *delivery {
	b.after(time.Second) // it runs
	b.hold(true)
	b.lane = newFakeLane() // from which the runner fetches nothing
	b.lane.owe(record("crm", "a", ""))
	list, _ := b.lane.take(1)
	return list[0]
}

func TestAnErasedDeliveryEndsWithoutAnAttempt(t *testing.T) {
	bubble(t, "", func(b *bench) {
		d := b.takeOut()
		d.erased = func() bool { return true }
		b.runner.mu.Lock()
		b.buffer.add(d)
		b.runner.mu.Unlock()
		b.hold(false)
		b.after(time.Second)
		if got := b.lane.tally(); got != (tally{done: 1}) || len(b.attempts()) > 0 {
			t.Errorf("%+v, %d attempts; want it done without one", got, len(b.attempts()))
		}
	})
}

// TestAPlaceInTheBufferEndsInEveryWay does so for what is ready, and for what has
// its turn.
func TestAPlaceInTheBufferEndsInEveryWay(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(b *bench, d *delivery)
		want tally
	}{
		{"ready, it expires", func(b *bench, d *delivery) {
			b.buffer.add(d)
			b.expire(time.Now().Add(1000 * 24 * time.Hour))
		}, tally{dead: 1}},
		{"ready again after an attempt, the runner lets go", func(b *bench, d *delivery) {
			d.attempts++
			b.buffer.add(d)
			b.release()
		}, tally{parked: 1, parks: 1}},
		{"its turn comes while the runner is held", func(b *bench, d *delivery) {
			d.to(phaseTurn)
			after := turn{b.runner, b.setup.Load(), d}.serve()
			d.to(phaseStoring)
			after()
		}, tally{fresh: 1}},
		{"its turn comes while the endpoint wants a rest", func(b *bench, d *delivery) {
			d.to(phaseTurn)
			b.rest.ask(time.Hour)
			b.held = false
			if after := (turn{b.runner, b.setup.Load(), d}).serve(); after != nil || d.phase != phaseReady {
				b.t.Errorf("it is %s", d.phase)
			}
		}, tally{held: 1}},
		{"a probe takes it while it waits for the endpoint", func(b *bench, d *delivery) {
			d.to(phaseTurn)
			d.to(phaseStoring)
			b.keep(d, &wait{phase: phaseEndpoint}, time.Hour)
			if got := b.buffer.oldest(); got != d {
				b.t.Errorf("the probe took %v", got)
			}
			d.finish()
		}, tally{done: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, "", func(b *bench) {
				test.do(b, b.takeOut())
				if got := b.lane.tally(); got != test.want {
					t.Errorf("%+v, want %+v", got, test.want)
				}
			})
		})
	}
}
