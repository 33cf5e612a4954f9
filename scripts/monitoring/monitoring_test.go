// Package monitoring tests the alerts and the dashboard against the metrics of a
// running relay.
package monitoring

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"callrelay/scripts/trial"
)

// TestRules runs the unit tests of the alerts.
func TestRules(t *testing.T) {
	for _, args := range [][]string{
		{"check", "rules", "--lint-fatal", "relay.rules.yml"},
		{"test", "rules", "relay.rules.test.yml"},
	} {
		if out, err := promtool(t, "", args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestMetrics holds the metrics of a relay against Prometheus's rules, and the
// alerts and the dashboard against the metrics.
func TestMetrics(t *testing.T) {
	binary, err := trial.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	relay := trial.Start(t, binary, config)
	metrics := relay.Page("/metrics")

	for _, file := range []string{"relay.rules.yml", "dashboard.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\b(relay|process)_[a-z_]+\b`).FindAllString(string(text), -1) {
			if name == "relay_gap" { // an event
				continue
			}
			if !strings.Contains(metrics, "\n"+name+"{") && !strings.Contains(metrics, "\n"+name+" ") {
				t.Errorf("%s: the relay has no metric %s", file, name)
			}
		}
	}
	if out, err := promtool(t, metrics, "check", "metrics"); err != nil || out != "" {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// config has all that metrics are told of.
const config = `
[recordings]
dir    = "recordings"
url    = "http://127.0.0.1/recordings"
listen = ""
keys   = [{ id = "k1", secret = "0123456789abcdef0123456789abcdef" }]
[[source]]
name     = "pbx1"
type     = "asterisk"
address  = "127.0.0.1:1"
user     = "relay"
password = "nobody is there"
[[service]]
name = "crm"
url  = "http://127.0.0.1:1"
[[binding]]
event   = "agent_termination"
service = "crm"
`

func promtool(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
