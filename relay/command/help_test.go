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

func TestHelpOfTopics(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want int
		out  string
		err  string
	}{
		{"a page of the manual", []string{"help", "deliveries"}, 0, "DELIVERIES\n", ""},
		{"a command", []string{"help", "dead", "list"}, 0, "relay dead list [flags]", ""},
		{"a command that is no topic", []string{"help", "status"}, 0, "relay status [flags]", ""},
		{"neither", []string{"help", "frobnicate"}, 2, "", "events"},
		{"nothing: the commands", []string{"help"}, 0, "Run and check:", ""},
		{"the topics", []string{"help", "help"}, 0, "troubleshooting", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := command(t, "", test.args...)
			if got.status != test.want || !strings.Contains(got.out, test.out) || !strings.Contains(got.err, test.err) {
				t.Errorf("exit %d, out:\n%s\nerr:\n%s", got.status, got.out, got.err)
			}
			for line := range strings.Lines(got.out) {
				if test.name == "a page of the manual" && len([]rune(line)) > helpWidth+1 && !strings.HasPrefix(line, "    ") {
					t.Errorf("%d columns: %q", len([]rune(line)), line)
				}
			}
		})
	}
}

// TestNoVoiceOfTheLibrary looks at what is wrong with a command line in our own words.
func TestNoVoiceOfTheLibrary(t *testing.T) {
	for _, test := range []struct {
		args []string
		err  string
	}{
		{[]string{"pause"}, "relay: pause needs SERVICE\ntry: relay pause SERVICE\n"},
		{[]string{"pause", "a", "b"}, "relay: too much behind pause: \"b\"\ntry: relay pause SERVICE\n"},
		{[]string{"status", "extra"}, "relay: too much behind status: \"extra\"\ntry: relay status\n"},
		{[]string{"dead", "replay", "--rate", "x"}, "relay: --rate: \"x\" is not a number\ntry: relay dead replay --help\n"},
		{[]string{"dead", "list", "--limit", "-3"}, "relay: --limit: \"-3\" is not a number\ntry: relay dead list --help\n"},
		{[]string{"demo", "--once=x"}, "relay: --once: \"x\" is not true or false\ntry: relay demo --help\n"},
		{[]string{"erase"}, "relay: erase needs either --call UII or --ani NUMBER\ntry: relay erase --help\n"},
		{[]string{"erase", "--call", "c1", "--ani", "1"}, "relay: erase needs either --call UII or --ani NUMBER\ntry: relay erase --help\n"},
		{[]string{"dead", "list", "--since", "-2h"}, "relay: --since \"-2h\" is neither a time nor a span\ntry: 2h, 7d, 2026-01-31, \"2026-01-31 15:00\" or 2026-01-31T15:00:00Z\n"},
		{[]string{"dead", "list", "--since"}, "relay: --since needs a value\ntry: relay dead list --help\n"},
		{[]string{"status", "--frob"}, "relay: flag --frob is not known\ntry: relay status --help\n"},
		{[]string{"status", "-x"}, "relay: flag -x is not known\ntry: relay status --help\n"},
		{[]string{"stats"}, "relay: command \"stats\" is not known; nearest is status\ntry: relay --help\n"},
		{[]string{"dead", "lst"}, "relay: command \"lst\" is not known; nearest is list\ntry: relay dead --help\n"},
		{[]string{"completion", "bsh"}, "relay: command \"bsh\" is not known; nearest is bash\ntry: relay completion --help\n"},
		{[]string{"frobnicate"}, "relay: command \"frobnicate\" is not known\ntry: relay --help\n"},
		{[]string{"test", "crm", "--timeout"}, "relay: flag --timeout is not known\ntry: relay test --help\n"},
	} {
		if got := command(t, "", test.args...); got.status != exitUsage || got.err != test.err {
			t.Errorf("%q: exit %d, %q, want %q", test.args, got.status, got.err, test.err)
		}
	}
}
