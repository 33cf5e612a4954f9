package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "callrelay"

// rules say what each package may import of ours, beside what lies below it.
// Packages below scripts may import everything.
var rules = []struct{ of, imports string }{
	{"config", ""},
	{"queue", ""},
	{"queue/archive", "queue/engine queue/journal queue/lane queue/record"},
	{"queue/dead", "queue/engine queue/journal queue/record"},
	{"queue/doctor", "queue/engine queue/journal queue/lane queue/record"},
	{"queue/engine", "queue/record"},
	{"queue/hub", "queue/engine queue/record"},
	{"queue/journal", "queue/engine queue/record"},
	{"queue/lane", "queue/engine"},
	{"queue/queuetest", ""},
	{"queue/record", ""},
	{"queue/spool", "queue/engine queue/journal queue/record"},
	{"relay", "relay/command"},
	{"relay/call", "render"},
	{"relay/command", "config queue relay/call relay/daemon relay/deliver relay/manual relay/printable relay/recordings relay/recordings/wav relay/route relay/source/freeswitch relay/unixsock relay/web render scripts/examples/services"},
	{"relay/daemon", "config queue relay/repeat relay/call relay/deliver relay/exchange relay/intake relay/limit relay/printable relay/recordings relay/route relay/source relay/source/asterisk relay/source/freeswitch relay/web"},
	{"relay/deliver", "config queue relay/repeat relay/call relay/exchange relay/exchange/aws relay/limit relay/route render"},
	{"relay/exchange", "config"},
	{"relay/exchange/aws", "config relay/exchange"},
	{"relay/intake", "config queue relay/call relay/limit relay/route relay/unixsock"},
	{"relay/limit", ""},
	{"relay/manual", ""},
	{"relay/printable", ""},
	{"relay/recordings", "config relay/repeat relay/limit"},
	{"relay/recordings/link", ""},
	{"relay/recordings/wav", ""},
	{"relay/repeat", ""},
	{"relay/route", "config relay/call render"},
	{"relay/source", "config relay/call"},
	{"relay/source/asterisk", "config relay/call relay/source"},
	{"relay/source/asterisk/ami", ""},
	{"relay/source/freeswitch", "relay/call relay/source"},
	{"relay/source/freeswitch/esl", ""},
	{"relay/unixsock", ""},
	{"relay/web", "config queue relay/deliver relay/limit relay/unixsock render"},
	{"render", ""},
}

// TestImportsRunOneWay holds the rules of the house: config, queue and render
// import nothing of ours, each part of the relay imports what it may, and each
// library stays in the package that was given it.
func TestImportsRunOneWay(t *testing.T) {
	ours := map[string][]string{}
	for _, rule := range rules {
		ours[rule.of] = strings.Fields(rule.imports)
	}
	libraries := map[string][]string{
		"github.com/nats-io/":          {"queue"},
		"github.com/sony/gobreaker":    {"relay/deliver"},
		"github.com/aws/":              {"relay/exchange/aws"},
		"github.com/BurntSushi/toml":   {"config"},
		"github.com/spf13/cobra":       {"relay/command"},
		"github.com/cpuguy83/":         {"relay/manual"},
		"github.com/coreos/go-systemd": {"relay/daemon"},
		"go.opentelemetry.io/":         {"relay/daemon", "relay/deliver"},
	}
	for _, p := range listPackages(t) {
		allowed, ok := ours[p.path]
		if !ok && !strings.HasPrefix(p.path, "scripts/") { // trials may use all
			t.Errorf("package %s is not among the rules: say what it may import", p.path)
		}
		for _, imported := range p.imports {
			rest, isOurs := strings.CutPrefix(imported, module+"/")
			if ok && isOurs && !slices.Contains(allowed, rest) && !strings.HasPrefix(rest, p.path+"/") {
				t.Errorf("%s imports %s", p.path, rest)
			}
		}
		for library, users := range libraries {
			if slices.ContainsFunc(users, p.isPartOf) {
				continue
			}
			for _, imported := range p.imports {
				if strings.HasPrefix(imported, library) {
					t.Errorf("%s imports %s, which stays in %s", p.path, imported, users)
				}
			}
		}
		if slices.ContainsFunc([]string{"config", "queue", "render"}, p.isPartOf) {
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

// isPartOf reports whether the package is that of a folder, or a room of it.
func (p listed) isPartOf(folder string) bool {
	return p.path == folder || strings.HasPrefix(p.path, folder+"/")
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
