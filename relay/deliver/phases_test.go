package deliver

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
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
		fmt.Println("a delivery went", move, "which is not among the transitions")
	}
	for _, move := range missing {
		fmt.Println("no test had a delivery go", move)
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
