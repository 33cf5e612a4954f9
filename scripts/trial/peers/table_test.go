package peers

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// table is what came of each peer, printed at the end.
var table struct {
	mu   sync.Mutex
	rows []string
}

func addRow(cells ...string) {
	table.mu.Lock()
	defer table.mu.Unlock()
	table.rows = append(table.rows, strings.Join(cells, "\t"))
}

// row adds a row when the test is over: the peer, what was sent, what came of it,
// and whether that is as it should be.
func row(t *testing.T, peer, sent string, came *string) {
	t.Cleanup(func() {
		verdict := "ok"
		if t.Failed() {
			verdict = "FAILED"
		}
		if !t.Skipped() {
			addRow(peer, sent, *came, verdict)
		}
	})
}

// needs skips a test without one of the programs that it needs, and has the table
// say so.
func needs(t *testing.T, peer, how string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, peer, how)
		}
	}
}

func missing(t *testing.T, peer, how string) {
	t.Helper()
	addRow(peer, "", "not here: "+how, "MISSING")
	t.Skip(peer + " is not here: " + how)
}

func printTable() {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, r := range append([]string{"PEER\tSENT\tWHAT CAME OF IT\t"}, table.rows...) {
		fmt.Fprintln(w, r)
	}
	_ = w.Flush()
	fmt.Print("\n", text.String(), "\n")
}
