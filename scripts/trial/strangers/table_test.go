package strangers

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// manual is the page whose table the trial makes.
const manual = "../../../relay/manual/security.md"

const head = "| surface | tried | through |\n|---|---|---|\n"

var table struct {
	sync.Mutex
	rows strings.Builder
}

// record adds a row to the table: what was tried where, and what came of it.
func record(surface, tried, through string) {
	table.Lock()
	defer table.Unlock()
	_, _ = fmt.Fprintf(&table.rows, "| %s | %s | %s |\n", surface, tried, through)
}

// printTable prints the table as it stands in the manual; with UPDATE_GOLDEN=1 it
// puts it there.
func printTable() error {
	made := head + table.rows.String()
	fmt.Print("\n" + made + "\n")
	if os.Getenv("UPDATE_GOLDEN") != "1" {
		return nil
	}
	text, err := os.ReadFile(manual)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(text), head)
	if !found {
		return fmt.Errorf("%s: no table", manual)
	}
	_, after, _ := strings.Cut(rest, "\n\n")
	return os.WriteFile(manual, []byte(before+made+"\n"+after), 0o644)
}
