package manual

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryPageIsATopic fails for a page that no topic names, a topic without a
// page, and a topic that the README's table of contents leaves out.
func TestEveryPageIsATopic(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, topic := range Topics() {
		named = append(named, topic.Name+".md")
		if topic.Title == "" {
			t.Errorf("topic %s has no page, or its page no title", topic.Name)
		}
		if !strings.Contains(string(readme), "(relay/manual/"+topic.Name+".md)") {
			t.Errorf("README.md has no link to relay/manual/%s.md", topic.Name)
		}
	}
	files, err := fs.Glob(pages, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(named)
	if !slices.Equal(files, named) {
		t.Errorf("pages %v, topics %v", files, named)
	}
}

// TestConfigShowsTheWholeFile keeps relay.toml(5) what relay.toml is.
func TestConfigShowsTheWholeFile(t *testing.T) {
	file, err := os.ReadFile("../../relay.toml")
	if err != nil {
		t.Fatal(err)
	}
	page, _ := Page("config")
	before, rest, _ := strings.Cut(page, "<!-- table: relay.toml -->\n")
	have, after, found := strings.Cut(rest, "<!-- /table -->")
	if !found {
		t.Fatal("config.md has no place for relay.toml")
	}
	want := "```toml\n" + string(file) + "```\n"
	if have == want {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" && exec.CommandContext(t.Context(), "git", "diff", "--quiet", "HEAD", "--", "../../relay.toml").Run() != nil {
		t.Skip("relay.toml was edited since it was committed: it may be yours; UPDATE_GOLDEN=1 takes it over into the manual")
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatal("config.md does not show relay.toml as it is; UPDATE_GOLDEN=1 go test ./relay/manual rewrites it")
	}
	page = before + "<!-- table: relay.toml -->\n" + want + "<!-- /table -->" + after
	if err := os.WriteFile("config.md", []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLinksLeadSomewhere looks at each relative link of the README and the pages.
func TestLinksLeadSomewhere(t *testing.T) {
	target := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	files, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range target.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), link[1])); err != nil {
				t.Errorf("%s: a link leads nowhere: %v", file, err)
			}
		}
	}
}

func TestText(t *testing.T) {
	for _, test := range []struct {
		name, page, want string
	}{
		{"a heading is in capitals", "# Dead letters\n", "DEAD LETTERS\n"},
		{"a paragraph is wrapped", "one two three four\n", "one two\nthree four\n"},
		{"an item hangs below its mark", "* one two three\n", "* one two\n  three\n"},
		{"code stays as it is", "```sh\nrelay dead list --all\n```\n", "    relay dead list --all\n"},
		{"a table is terms with explanations", "| a | b | c |\n|---|---|---|\n| `x` | y \\| z | w |\n", "  a\n      b · c\n  `x`\n      y | z\n      · w\n"},
		{"links and emphasis show their text", "[a b](c.md) **d**\n", "a b d\n"},
		{"marks of generated tables are left out", "<!-- table: tags -->\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Text(test.page, 11); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestManPages(t *testing.T) {
	for _, topic := range Topics() {
		file, page := topic.Man("1.2.3", time.Unix(0, 0).UTC())
		want := "relay-" + topic.Name + ".7"
		if topic.Name == "config" {
			want = "relay.toml.5"
		}
		if file != want {
			t.Errorf("got file %s, want %s", file, want)
		}
		if !strings.Contains(string(page), ".SH NAME") || !strings.Contains(string(page), "Jan 1970") {
			t.Errorf("%s begins with %.200q", file, page)
		}
	}
}

// TestCodeNamesWhatIsThere fails for a place in the developers' page that moved,
// and for a room that the page leaves out.
func TestCodeNamesWhatIsThere(t *testing.T) {
	page, _ := Page("code")
	places := regexp.MustCompile("`((?:config|queue|render|relay|scripts)/[a-z0-9_./]*)`").FindAllStringSubmatch(page, -1)
	if len(places) < 40 {
		t.Errorf("only %d places are named", len(places))
	}
	for _, place := range places {
		if _, err := os.Stat(filepath.Join("../..", place[1])); err != nil {
			t.Error(err)
		}
	}
	named := regexp.MustCompile("`([a-z0-9_]+/)*`").ReplaceAllStringFunc(page, func(place string) string { return "`" + filepath.Base(strings.Trim(place, "`")) + "`" })
	for _, files := range []string{"config/*.go", "queue/*/*.go", "relay/*/*.go", "relay/*/*/*.go", "render/*.go"} {
		found, err := filepath.Glob(filepath.Join("../..", files))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %d files", files, err, len(found))
		}
		for _, file := range found {
			if room := filepath.Base(filepath.Dir(file)); !strings.Contains(named, "`"+room+"`") {
				t.Errorf("no room %s", filepath.Dir(file))
			}
		}
	}
}
