package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "callrelay"

// TestImportsRunOneWay holds the rules of the house: config, queue and render
// import nothing of ours, each part of the relay imports what it may, and each
// library stays in the package that was given it.
func TestImportsRunOneWay(t *testing.T) {
	ours := map[string][]string{
		"config":                nil,
		"queue":                 nil,
		"queue/queuetest":       nil,
		"render":                nil,
		"relay/call":            {"render"}, // its values
		"relay/manual":          nil,
		"relay/route":           {"config", "render", "relay/call"},
		"relay/intake":          {"config", "queue", "relay/call", "relay/limit", "relay/route", "relay/unixsock"},
		"relay/limit":           nil,
		"relay/unixsock":        nil,
		"relay/deliver":         {"config", "queue", "render", "relay/call", "relay/exchange", "relay/route"},
		"relay/exchange":        {"config"},
		"relay/recordings":      {"config", "relay/limit"},
		"relay/recordings/link": nil,
		"relay/recordings/wav":  nil,
		"relay/web":             {"config", "queue", "render", "relay/unixsock"},
		"relay/source":          {"config", "relay/call"},
		"relay/source/asterisk": {"config", "relay/call", "relay/source"},
	}
	libraries := map[string][]string{
		"github.com/nats-io/":          {"queue", "queue/queuetest"},
		"github.com/sony/gobreaker":    {"relay/deliver"},
		"github.com/BurntSushi/toml":   {"config"},
		"github.com/spf13/cobra":       {"relay/command"},
		"github.com/cpuguy83/":         {"relay/manual"},
		"github.com/coreos/go-systemd": {"relay/daemon"},
		"go.opentelemetry.io/":         {"relay/daemon", "relay/deliver"},
	}
	for _, p := range listPackages(t) {
		if allowed, ok := ours[p.path]; ok {
			for _, imported := range p.imports {
				rest, isOurs := strings.CutPrefix(imported, module+"/")
				if isOurs && !slices.Contains(allowed, rest) && !strings.HasPrefix(rest, p.path+"/") {
					t.Errorf("%s imports %s", p.path, rest)
				}
			}
		}
		for library, users := range libraries {
			if slices.Contains(users, p.path) {
				continue
			}
			for _, imported := range p.imports {
				if strings.HasPrefix(imported, library) {
					t.Errorf("%s imports %s, which stays in %s", p.path, imported, users)
				}
			}
		}
		if p.path == "config" || p.path == "queue" || p.path == "render" {
			if slices.Contains(p.imports, "net/http") {
				t.Errorf("%s imports net/http", p.path)
			}
		}
	}
}

// listed is a package of this module, named by its folder.
type listed struct {
	path    string
	imports []string
}

func listPackages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var packages []listed
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		packages = append(packages, listed{strings.TrimPrefix(fields[0], module+"/"), fields[1:]})
	}
	return packages
}
