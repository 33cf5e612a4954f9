package command

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/relay/manual"
)

// result is what one command did.
type result struct {
	status   int
	out, err string
}

// command runs one command as a shell would.
func command(t *testing.T, in string, args ...string) result {
	t.Helper()
	return commandCtx(t.Context(), in, args...)
}

func commandCtx(ctx context.Context, in string, args ...string) result {
	var out, errs strings.Builder
	a := &app{in: strings.NewReader(in), out: &out, err: &errs, version: "devel"}
	status := a.execute(ctx, args)
	return result{status, out.String(), errs.String()}
}

// writeConfig writes a configuration into a folder with a short path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "relay.toml")
	writeFile(t, path, text)
	return path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const idleConfig = `
[queue]
listen = ""
[admin]
listen = ""
[[service]]
name = "crm"
url = "http://127.0.0.1:1/calls"
json = '{ "agent": "#agent_id|number#", "name": "#agent_username#" }'
[[binding]]
event = "agent_termination"
service = "crm"
`

func TestCommands(t *testing.T) {
	good := writeConfig(t, idleConfig)
	bad := writeConfig(t, idleConfig+"\n[[binding]]\nevent = \"call_end\"\nservice = [\"crm\", \"crm2\"]\n[[service]]\nurl = \"x\"\n")
	for _, test := range []struct {
		name string
		in   string
		args []string
		want int
		out  string // contained in the output
		err  string // contained in the errors
	}{
		{"version", "", []string{"version"}, 0, "relay ", ""},
		{"no such command", "", []string{"frobnicate"}, 2, "", "try: relay --help"},
		{"no such flag", "", []string{"status", "--frob"}, 2, "", "try: relay status --help"},
		{"a service is missing", "", []string{"pause"}, 2, "", "try: relay pause SERVICE"},
		{"a good configuration", "", []string{"check", "-c", good}, 0, "ok: 1 service (1 active), 1 binding", ""},
		{"a good configuration without warnings, strictly", "", []string{"check", "--strict", "-c", good}, 0, "ok: 1 service", ""},
		{"a configuration with a warning, strictly", "", []string{"check", "--strict", "-c", writeConfig(t, idleConfig+"\n[[mapping]]\nfrom = \"a\"\nto = \"b\"\n")}, 1, "", "1 warning"},
		{"tags of the operator's own, strictly", "", []string{"check", "--strict", "-c", writeConfig(t, idleConfig+"where = { region = \"north\" }\n[[service]]\nname = \"tickets\"\nurl = \"http://127.0.0.1:1/\"\ntext = \"#ticket# #a.deep# #ticket#\"\n[[binding]]\nevent = \"post_call\"\nservice = \"tickets\"\n")}, 0, "tags of your own, which your events bring: a.deep, region, ticket\n", ""},
		{"no relay runs, quietly", "", []string{"status", "--quiet", "-c", good}, 1, "", "try: relay run"},
		{"a bad configuration: all problems", "", []string{"check", "-c", bad}, 1, "", `service "crm2" is not defined`},
		{"a bad configuration: all problems, again", "", []string{"check", "-c", bad}, 1, "", "url"},
		{"a bad configuration does not run", "", []string{"run", "-c", bad}, 1, "", "try: relay check -c " + bad},
		{"no configuration", "", []string{"check", "-c", "/nowhere/relay.toml"}, 1, "", "try: relay init /nowhere/relay.toml"},
		{"no configuration to run", "", []string{"run", "-c", "/nowhere/relay.toml"}, 1, "", "try: relay init /nowhere/relay.toml"},
		{"no relay runs", "", []string{"status", "-c", good}, 1, "", "try: relay run"},
		{"no relay takes events", `{"event":"call_end"}`, []string{"send", "-c", good}, 1, "", "try: relay run"},
		{"nothing to send", " \n", []string{"send", "-c", good}, 1, "", "no events"},
		{"what is sent is no JSON", `{"event":`, []string{"send", "-c", good}, 1, "", "read event 1"},
		{"all dead letters are not replayed by accident", "", []string{"dead", "replay", "-c", good}, 2, "", "try: --all"},
		{"nobody to erase", "", []string{"erase", "-c", good}, 2, "", "try: relay erase --help"},
		{"a time that is none", "", []string{"dead", "list", "-c", good, "--since", "yesterday"}, 2, "", "--since"},
		{"a reason that is none", "", []string{"dead", "list", "-c", good, "--reason", "rejectd"}, 2, "", "try: one of rejected, expired"},
		{"a letter that is none", "", []string{"dead", "drop", "-c", good, "x"}, 2, "", "not the number"},
		{"render of a given event", `{"event":"agent_termination","agent_id":7,"agent_username":"O\"Neil"}`, []string{"render", "crm", "-c", good, "-e", "-"}, 0, `{ "agent": 7, "name": "O\"Neil" }`, "#agent_username#"},
		{"render of a made-up event", "", []string{"render", "crm", "-c", good}, 0, "ann@example.com", ""},
		{"render for nobody", "", []string{"render", "crm2", "-c", good}, 1, "", "known: crm"},
		{"render of a bad event", `{"event":7}`, []string{"render", "crm", "-c", good, "-e", "-"}, 1, "", "event"},
		{"tags", "", []string{"tags"}, 0, "#agent_username#", ""},
		{"tags for the README", "", []string{"tags", "--markdown"}, 0, "| `#uii#` | text |", ""},
		{"services are completed", "", []string{"__complete", "-c", good, "pause", ""}, 0, "crm", ""},
		{"contexts need a queue that listens", "", []string{"context", "-c", good}, 1, "", "queue.listen is empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := command(t, test.in, test.args...)
			if got.status != test.want || !strings.Contains(got.out, test.out) || !strings.Contains(got.err, test.err) {
				t.Errorf("exit %d, out:\n%s\nerr:\n%s\nwant exit %d, out with %q, err with %q",
					got.status, got.out, got.err, test.want, test.out, test.err)
			}
		})
	}
}

// TestExampleIsGood keeps the example in the root, as the manual shows it, without
// problem or warning.
func TestExampleIsGood(t *testing.T) {
	got := command(t, "", "check", "-c", writeConfig(t, example()))
	if got.status != 0 || got.err != "" {
		t.Errorf("exit %d: %s", got.status, got.err)
	}
}

func TestEnvironmentOfThePackagedService(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.env")
	for _, name := range []string{"RELAY_T_NEW", "RELAY_T_QUOTED", "RELAY_T_SET"} {
		t.Setenv(name, "before")
		if name != "RELAY_T_SET" {
			_ = os.Unsetenv(name) // the test's end sets it back
		}
	}
	text := "# RELAY_T_NEW=no\nRELAY_T_NEW=p=1\nRELAY_T_QUOTED=\"a b\"\nRELAY_T_SET=after\nnonsense\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	takeEnvironment(path)
	takeEnvironment(path + ".none")
	for name, want := range map[string]string{"RELAY_T_NEW": "p=1", "RELAY_T_QUOTED": "a b", "RELAY_T_SET": "before"} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestRenderNeedsNoSecrets(t *testing.T) {
	t.Setenv("RELAY_T_UNSET", "")
	path := writeConfig(t, `[[service]]
name = "crm"
url = "https://crm.example.com/"
auth = { bearer = { env = "RELAY_T_UNSET" } }
json = '{ "a": "{{agent_id}}", "b": "# uii #" }'
`)
	if got := command(t, "", "render", "crm", "-c", path); got.status != 0 || !strings.Contains(got.out, "***") {
		t.Errorf("exit %d: %s%s", got.status, got.out, got.err)
	}
	got := command(t, "", "check", "-c", path)
	for _, want := range []string{"{{agent_id}} is no tag, and is sent as it stands: #agent_id#", "# uii # is no tag"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("check does not say %q:\n%s", want, got.err)
		}
	}
	empty := writeConfig(t, "")
	if got := command(t, "", "check", "-c", empty); got.status != 0 || !strings.Contains(got.err, "nothing is sent") {
		t.Errorf("a file without a service: %+v", got)
	}
}

// example is relay.toml as the manual shows it: the file itself may have been edited
// by who tries it.
func example() string {
	page, _ := manual.Page("config")
	_, text, _ := strings.Cut(page, "```toml\n")
	text, _, _ = strings.Cut(text, "\n```\n")
	return text + "\n"
}
