// Package packaging tests what the package is made from.
package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/config"
	"callrelay/relay/manual"
)

// TestPackagedConfiguration keeps the package's relay.toml in step with the
// example that it is made from.
func TestPackagedConfiguration(t *testing.T) {
	text := packagedText(t)
	dir := t.TempDir() // for the package's folders, which are not here
	inDir := strings.NewReplacer("/var/lib/relay", dir, "/run/relay", dir).Replace(text)
	path := filepath.Join(dir, "relay.toml")
	if err := os.WriteFile(path, []byte(inDir), 0o600); err != nil {
		t.Fatal(err)
	}
	packaged, problems := config.Load(path)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	if n := len(packaged.Services) + len(packaged.Bindings) + len(packaged.Mappings); n != 0 {
		t.Errorf("got %d examples in force, want none", n)
	}
	if strings.Contains(text, `"run/`) {
		t.Error("a path is relative")
	}
	for _, want := range []string{
		`"/run/relay/relay.sock"`, `"/run/relay/admin.sock"`, `"/var/lib/relay/queue"`, `"/var/lib/relay/recordings"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("path %s is missing", want)
		}
	}
}

// packagedText is what the package makes of the example.
func packagedText(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "awk", "-f", "relay.toml.awk")
	cmd.Stdin = strings.NewReader(example())
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestPackagedConfigurationKeepsEveryLine compares it with the example, paths
// and comment signs aside.
func TestPackagedConfigurationKeepsEveryLine(t *testing.T) {
	got, want := keys(packagedText(t)), keys(example())
	if len(got) != len(want) {
		t.Fatalf("got %d lines, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("line %d: got %q, want %q", i+1, got[i], want[i])
		}
	}
}

// TestSidecarConfiguration checks the relay.toml inside kubernetes.yaml.
func TestSidecarConfiguration(t *testing.T) {
	manifest, err := os.ReadFile("kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(manifest), "relay.toml: |\n")
	text, _, found := strings.Cut(rest, "---\n")
	if !found {
		t.Fatal("kubernetes.yaml has no relay.toml")
	}
	t.Setenv("RELAY_ADMIN_TOKEN", strings.Repeat("a", 32))
	t.Setenv("RELAY_RECORDING_KEY", strings.Repeat("k", 32))
	path := filepath.Join(t.TempDir(), "relay.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sidecar, problems := config.Load(path)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	if warnings := sidecar.Warnings(); len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
}

// TestContainerConfiguration checks what the image runs with.
func TestContainerConfiguration(t *testing.T) {
	text, err := os.ReadFile("container.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // for the image's folders, which are not here
	inDir := strings.NewReplacer("/var/lib/relay", dir, "/run/relay", dir, "/recordings\"", t.TempDir()+"\"").Replace(string(text))
	path := filepath.Join(dir, "relay.toml")
	if err := os.WriteFile(path, []byte(inDir), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, problems := config.Load(path); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

// keys returns what stands before the first = or space of each line.
func keys(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(line, "# ")
		key, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, key)
	}
	return list
}

// example is relay.toml as the manual shows it: the file itself may have been edited
// by who tries it.
func example() string {
	page, _ := manual.Page("config")
	_, text, _ := strings.Cut(page, "```toml\n")
	text, _, _ = strings.Cut(text, "\n```\n")
	return text + "\n"
}
