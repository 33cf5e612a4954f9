package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp holds what users and scripts rely on: the commands and their flags.
func TestHelp(t *testing.T) {
	var text strings.Builder
	var visit func(c *cobra.Command, path []string)
	visit = func(c *cobra.Command, path []string) {
		text.WriteString("$ relay " + strings.Join(append(path, "--help"), " ") + "\n")
		text.WriteString(command(t, "", append(path, "--help")...).out + "\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "completion" && sub.Name() != "help" {
				visit(sub, append(slices.Clip(path), sub.Name()))
			}
		}
	}
	visit((&app{}).rootCommand(), nil)
	golden(t, "help", text.String())
}

// golden compares with testdata/<name>.golden, or rewrites it under
// UPDATE_GOLDEN=1.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if os.Getenv("UPDATE_GOLDEN") == "1" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (UPDATE_GOLDEN=1 rewrites it):\n%s", path, got)
	}
}
