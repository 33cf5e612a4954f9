package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// load loads a text as relay.toml in a folder of its own. Problems name the file
// relay.toml.
func load(t testing.TB, text string) (*Config, []Problem) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(path)
	for i := range problems {
		problems[i].File = filepath.Base(problems[i].File)
	}
	return c, problems
}

func TestLoadFillsInDefaults(t *testing.T) {
	c, problems := load(t, "")
	if len(problems) > 0 {
		t.Fatalf("problems of an empty file: %v", problems)
	}
	if got, want := c.Queue.Keep, 24*time.Hour; got != want {
		t.Errorf("queue.keep = %v, want %v", got, want)
	}
	if got, want := c.Intake.Socket, filepath.Join(filepath.Dir(c.Path), "run/relay.sock"); got != want {
		t.Errorf("intake.socket = %q, want %q", got, want)
	}
	if c.Recordings != nil {
		t.Error("there are recordings that the file does not speak of")
	}
}

func TestLoadReportsAllProblemsInFileOrder(t *testing.T) {
	t.Setenv("RELAY_TEST_EMPTY", "")
	_, problems := load(t, `
[intake]
sockt = "x"
timezone = 5
[defaults]
timeout = "5"
[[service]]
name = "crm"
url = "https://crm.example.com/#queue#"
auth.bearer = { env = "RELAY_TEST_EMPTY" }
[[binding]]
event = "agent_termination"
service = ["crm", "crm2"]
`)
	want := []string{
		`relay.toml:3: intake: sockt is not a known key (nearest: socket)`,
		`relay.toml:4: intake: timezone 5 is not a time zone (such as "UTC", "Europe/Berlin")`,
		`relay.toml:6: defaults: timeout "5" is not a duration (such as "30s", "24h", "7d")`,
		`relay.toml:10: service "crm": auth.bearer: environment variable RELAY_TEST_EMPTY is empty (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`,
		`relay.toml:13: binding 1: service "crm2" is not defined (defined: crm)`,
	}
	if got := lines(problems); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// lines returns problems as they are shown.
func lines(problems []Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.String())
	}
	return all
}

func TestUsersAreThoseOfAModeInForce(t *testing.T) {
	recordings := "[recordings]\nkeys = [" + key1 + "]\nusers = [{ name = \"crm\", password = \"x\" }]\n"
	for _, test := range []struct {
		name string
		file string
		want int
	}{
		{"signed links ask nobody", recordings, 0},
		{"a service's links ask", recordings + service + "recording_access = \"basic\"", 1},
		{"all links ask", recordings + "access = \"basic\"", 1},
	} {
		c, problems := load(t, test.file)
		if len(problems) > 0 {
			t.Fatalf("%s: %s", test.name, lines(problems))
		}
		if got := len(c.Recordings.Users); got != test.want {
			t.Errorf("%s: %d users, want %d", test.name, got, test.want)
		}
	}
}
