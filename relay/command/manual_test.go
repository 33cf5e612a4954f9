package command

import (
	"os"
	"strings"
	"testing"
)

// TestManualListsTheTags keeps the manual's table of tags what `relay tags` prints.
func TestManualListsTheTags(t *testing.T) {
	const path, begin, end = "../manual/events.md", "<!-- table: tags -->\n", "<!-- /table -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	have, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the tags, between %q and %q", path, begin, end)
	}
	want := command(t, "", "tags", "--markdown").out
	if have == want {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatal("the table of tags in the manual is not what relay tags --markdown prints; UPDATE_GOLDEN=1 go test ./relay/command rewrites it")
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
