package config

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// reload changes the file of a Config and loads it again.
func reload(t *testing.T, c *Config, text string) *Config {
	t.Helper()
	if err := os.WriteFile(c.Path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	again, problems := Load(c.Path)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	return again
}

func TestFingerprint(t *testing.T) {
	c, _ := load(t, service+"auth.bearer = \"one\"")
	first := c.Fingerprint()
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(first) {
		t.Fatalf("Fingerprint = %q, want 16 hexadecimal digits", first)
	}
	for _, test := range []struct {
		name string
		text string
		same bool
	}{
		{"comments do not count", "# a comment\n" + service + "auth.bearer = \"one\"", true},
		{"a default that is written down does not count", service + "auth.bearer = \"one\"\ntimeout = \"15s\"", true},
		{"a secret does not count", service + "auth.bearer = \"two\"", true},
		{"where a secret is kept counts", service + "auth.bearer = { env = \"PATH\" }", false},
		{"a value counts", service + "auth.bearer = \"one\"\ntimeout = \"16s\"", false},
		{"a status counts", service + "auth.bearer = \"one\"\nsuccess = [\"200\"]", false},
		{"a debug that ends counts", service + "auth.bearer = \"one\"\ndebug = \"30m\"", false},
		{"a binding counts", service + "auth.bearer = \"one\"\n[[binding]]\nevent = \"x\"\nservice = \"crm\"", false},
	} {
		if got := reload(t, c, test.text).Fingerprint(); (got == first) != test.same {
			t.Errorf("%s: got %s after %s", test.name, got, first)
		}
	}
}

func TestText(t *testing.T) {
	c, _ := load(t, service+"auth.bearer = \"hidden\"\njson = \"{\\n}\"")
	got := c.Text()
	for _, want := range []string{"service[0].timeout = 15s\n", "service[0].auth.bearer = ***\n", "\n\t{\n\t}\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("Text lacks %q", want)
		}
	}
	if strings.Contains(got, "hidden") {
		t.Errorf("Text tells a secret:\n%s", got)
	}
}

func TestChanges(t *testing.T) {
	t.Setenv("RELAY_TEST_SECRET", "a")
	queue := "[queue]\nservers = [\"nats://a\"]\ncredentials = { env = \"RELAY_TEST_SECRET\" }\n"
	old, problems := load(t, queue)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	for _, test := range []struct {
		name string
		text string
		env  string
		want []string
	}{
		{"nothing", queue, "a", nil},
		{"sockets", queue + "[intake]\nsocket = \"x\"\nsocket_mode = \"0600\"\n[admin]\nlisten = \"\"", "a", []string{"admin.listen", "intake.socket", "intake.socket_mode"}},
		{"a secret's text", queue, "b", []string{"queue.credentials"}},
		{"what was not there", queue + "keep = \"1h\"\ntls = { server_name = \"x\" }", "a", []string{"queue.keep", "queue.tls.server_name"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("RELAY_TEST_SECRET", test.env)
			c := reload(t, old, test.text)
			if got := Changes(old, c); !slices.Equal(got, test.want) {
				t.Errorf("Changes = %q, want %q", got, test.want)
			}
			if there, back := Changes(old, c), Changes(c, old); !slices.Equal(there, back) {
				t.Errorf("Changes = %q there, %q back", there, back)
			}
		})
	}
}

func TestTextMasksWhatIsSecretByName(t *testing.T) {
	c, problems := load(t, `
[[service]]
name    = "crm"
url     = "http://127.0.0.1/a?api_key=hidden&queue=#queue#"
headers = { X-Api-Key = "hidden", X-Auth-Token = "#token#", X-Account = "4711" }
query   = { signature = "v1#x#" }
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	text := c.Text()
	for _, want := range []string{
		`service[0].url = http://127.0.0.1/a?api_key=***&queue=#queue#`,
		`service[0].headers["X-Api-Key"] = ***`,
		`service[0].headers["X-Auth-Token"] = #token#`,
		`service[0].headers["X-Account"] = 4711`,
		`service[0].query["signature"] = ***`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing in:\n%s", want, text)
		}
	}
}

// TestNamesOfSecrets has a header and a parameter of each name that says that its
// value is a secret, and some that say no such thing.
func TestNamesOfSecrets(t *testing.T) {
	for _, name := range []string{
		"Authorization", "X-Authentication", "Cookie", "X-Token", "client_secret", "Password", "pwd",
		"Api-Key", "apikey", "auth_key", "access-key", "Ocp-Apim-Subscription-Key", "X-Signature",
	} {
		if got := withoutNamed(`service[0].headers["`+name+`"]`, "hidden"); got != mask {
			t.Errorf("the header %s shows %s", name, got)
		}
		if got := withoutNamed("service[0].url", "http://a/?x=1&"+name+"=hidden&y=2"); got != "http://a/?x=1&"+name+"="+mask+"&y=2" {
			t.Errorf("the parameter %s shows %s", name, got)
		}
	}
	for _, name := range []string{"X-Account", "Author", "Key", "X-Pass-Through"} {
		if got := withoutNamed(`service[0].headers["`+name+`"]`, "shown"); got != "shown" {
			t.Errorf("the header %s shows %s", name, got)
		}
	}
}
