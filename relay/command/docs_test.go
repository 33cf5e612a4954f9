package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestDocsCoverEveryCommand(t *testing.T) {
	share := t.TempDir()
	if r := command(t, "", "docs", share); r.status != exitDone {
		t.Fatalf("docs: status %d, %s", r.status, r.err)
	}
	walk((&app{}).rootCommand(), func(c *cobra.Command) {
		page := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		text, err := os.ReadFile(filepath.Join(share, "man", "man1", page))
		if got := err == nil; got != c.IsAvailableCommand() && c.HasParent() {
			t.Errorf("man page of %q: %v, want one: %v", c.CommandPath(), got, !got)
		}
		if err == nil && !strings.Contains(string(text), c.Short) {
			t.Errorf("%s lacks %q", page, c.Short)
		}
	})
	for _, name := range []string{
		"bash-completion/completions/relay", "zsh/vendor-completions/_relay", "fish/vendor_completions.d/relay.fish",
	} {
		if text, err := os.ReadFile(filepath.Join(share, name)); err != nil || !strings.Contains(string(text), "relay") {
			t.Errorf("completion %s: %v, %d bytes", name, err, len(text))
		}
	}
}

func TestDocsSayWhereTheyCannotBeWritten(t *testing.T) {
	inTheWay := writeConfig(t, "")
	if got := command(t, "", "docs", inTheWay); got.status != exitFailed || got.err != "relay: mkdir "+inTheWay+": not a directory\n" {
		t.Errorf("%+v", got)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "86400")
	if got := pagesDate().Format(time.DateOnly); got != "1970-01-02" {
		t.Errorf("the pages are dated %s", got)
	}
}

func TestTheManPageOfTheRootSaysWhatIsAroundIt(t *testing.T) {
	share := t.TempDir()
	if r := command(t, "", "docs", share); r.status != exitDone {
		t.Fatalf("docs: status %d, %s", r.status, r.err)
	}
	page, err := os.ReadFile(filepath.Join(share, "man", "man1", "relay.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		".SH COMMANDS\n", "\\fBreload\\fP\nHave the running relay read its configuration again\n",
		".SH FILES\n", packageConfig, packageEnvironment, ".SH ENVIRONMENT\n", "RELAY_CONFIG", "RELAY_ADMIN_SOCKET", ".SH EXIT STATUS\n", ".SH SEE ALSO\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("relay(1) lacks %q", want)
		}
	}
}

// walk visits a command and all below it.
func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		walk(sub, visit)
	}
}
