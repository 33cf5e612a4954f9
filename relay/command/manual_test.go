package command

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"callrelay/relay/deliver"
	"callrelay/render"
)

// generated are the tables of the manual that the code makes, by the name in
// their mark.
func generated(t *testing.T) map[string]string {
	return map[string]string{
		"tags":               command(t, "", "tags", "--markdown").out,
		"operational events": command(t, "", "tags", "--operational", "--markdown").out,
		"events":             command(t, "", "tags", "--events", "--markdown").out,
		"filters":            filterTable(),
		"reasons":            reasonTable(),
		"service states":     stateTable(deliver.ServiceStates()),
		"breaker states":     stateTable(deliver.BreakerStates()),
		"commands":           commandTable(),
	}
}

var markedTable = regexp.MustCompile(`(?s)<!-- table: ([a-z ]+) -->\n(.*?)<!-- /table -->`)

// TestManualTablesAreGenerated keeps each table of the manual what the code
// says, and fails for one that no page has.
func TestManualTablesAreGenerated(t *testing.T) {
	tables := generated(t)
	pages, err := filepath.Glob("../manual/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := markedTable.ReplaceAllStringFunc(string(page), func(have string) string {
			name := markedTable.FindStringSubmatch(have)[1]
			table, ok := tables[name]
			if !ok {
				t.Errorf("%s: nobody makes a table %q", path, name)
				return have
			}
			shown[name] = true
			return "<!-- table: " + name + " -->\n" + table + "<!-- /table -->"
		})
		switch {
		case want == string(page):
		case os.Getenv("UPDATE_GOLDEN") == "":
			t.Errorf("a table of %s is not what the code says; UPDATE_GOLDEN=1 go test ./relay/command rewrites it", path)
		default:
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name := range tables {
		if !shown[name] {
			t.Errorf("no page of the manual shows the table %q", name)
		}
	}
}

func filterTable() string {
	var b strings.Builder
	b.WriteString("| filter | such as | what it makes |\n|---|---|---|\n")
	for _, f := range render.Filters() {
		fmt.Fprintf(&b, "| `%s` | `#a\\|%s#` | %s |\n", f.Name, strings.ReplaceAll(f.Example, "|", `\|`), strings.ReplaceAll(f.Text, "|", `\|`))
	}
	return b.String()
}

func reasonTable() string {
	var b strings.Builder
	b.WriteString("| reason | what happened |\n|---|---|\n")
	for _, reason := range deliver.Reasons() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", reason.Name, reason.Text)
	}
	return b.String()
}

func stateTable(states []deliver.State) string {
	var b strings.Builder
	b.WriteString("| state | what it means |\n|---|---|\n")
	for _, state := range states {
		fmt.Fprintf(&b, "| `%s` | %s |\n", state.Name, state.Text)
	}
	return b.String()
}

// commandTable lists the commands under their headings.
func commandTable() string {
	var b strings.Builder
	root := (&app{}).rootCommand()
	b.WriteString("| command | what it does |\n|---|---|\n")
	for _, g := range groups() {
		for _, command := range g.commands {
			found, _, err := root.Find([]string{command(&app{}).Name()})
			if err != nil || found.Hidden {
				continue
			}
			row(&b, found)
			for _, below := range found.Commands() {
				row(&b, below)
			}
		}
	}
	return b.String()
}

func row(b *strings.Builder, c *cobra.Command) {
	use := strings.TrimSuffix(strings.TrimPrefix(c.UseLine(), "relay "), " [flags]")
	fmt.Fprintf(b, "| `%s` | %s |\n", strings.ReplaceAll(use, "|", `\|`), c.Short)
}
