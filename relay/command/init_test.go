package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callrelay/scripts/examples/services"
)

// TestInitWritesAGoodFile tries every call server with every example: check
// finds no problem in any, once the secrets are there.
func TestInitWritesAGoodFile(t *testing.T) {
	for _, name := range services.Names() {
		for _, callServer := range callServers {
			t.Run(name+" "+callServer, func(t *testing.T) {
				t.Chdir(t.TempDir())
				got := command(t, "", "init", "--call-server", callServer, "--url", "https://crm.example.com/a?b=$1", "--queue", "support", "--example", name)
				if got.status != 0 {
					t.Fatalf("exit %d: %s", got.status, got.err)
				}
				text, err := os.ReadFile("relay.toml")
				if err != nil {
					t.Fatal(err)
				}
				for _, variable := range secretNames(string(text)) {
					t.Setenv(variable, "a secret of more than 32 characters")
				}
				if got := command(t, "", "check"); got.status != 0 {
					t.Errorf("exit %d: %s", got.status, got.err)
				}
				if !strings.Contains(string(text), `"https://crm.example.com/a?b=$1"`) || !strings.Contains(string(text), `queue   = "support"`) {
					t.Errorf("endpoint or queue is missing:\n%s", text)
				}
			})
		}
	}
}

func TestInitAsksWhatIsNotGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "first.toml")
	got := command(t, "socket\nhttps://crm.example.com/calls\nsales\n", "init", path)
	if got.status != 0 || !strings.HasPrefix(got.out, "Call server: asterisk, freeswitch, socket [asterisk]: URL of the endpoint [https://api.example.com/calls]: Queue") {
		t.Fatalf("exit %d, out %q, err %q", got.status, got.out, got.err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"https://crm.example.com/calls"`) || !strings.Contains(string(text), `"sales"`) || strings.Contains(string(text), "[[source]]") {
		t.Errorf("got\n%s", text)
	}
}

func TestInitKeepsAFileThatCallsNobody(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.toml")
	writeFile(t, path, "# the package's\n")
	if got := command(t, "", "init", path, "--call-server", "socket", "--url", "http://127.0.0.1/", "--queue", ""); got.status != 0 {
		t.Fatalf("exit %d: %s", got.status, got.err)
	}
	if text, err := os.ReadFile(path + ".before"); err != nil || string(text) != "# the package's\n" {
		t.Errorf("kept %q, %v", text, err)
	}
	f := firstFile{callServer: "socket", example: defaultExample}
	if text := f.text(true); !strings.Contains(text, "socket = \"/run/relay/relay.sock\"\nsocket_group = \"relay-send\"") {
		t.Errorf("of the package: %s", text)
	}
}

func TestInitRefuses(t *testing.T) {
	there := filepath.Join(t.TempDir(), "there.toml")
	writeFile(t, there, "[[service]]\nname = \"a\"\nurl = \"http://127.0.0.1/\"\n")
	for _, test := range []struct {
		name, in string
		args     []string
		want     int
		err      string
	}{
		{"a file that is there", "", []string{"init", there, "--call-server", "socket", "--url", "", "--queue", ""}, exitFailed, "is there already"},
		{"an example that is none", "", []string{"init", there + "1", "--example", "x"}, exitUsage, "slack"},
		{"a call server that is none", "", []string{"init", there + "2", "--call-server", "x", "--url", "http://a", "--queue", ""}, exitUsage, "known: asterisk freeswitch socket"},
		{"nobody who answers", "socket\n", []string{"init", there + "3"}, exitUsage, "--url is not given"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := command(t, test.in, test.args...); got.status != test.want || !strings.Contains(got.err, test.err) {
				t.Errorf("exit %d, err %q", got.status, got.err)
			}
		})
	}
}
