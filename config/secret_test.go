package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// secretive is a file with a secret wherever one may stand; all hold "hunter2".
const secretive = `
[intake]
listen = "127.0.0.1:0"
token = "hunter2"
[queue]
servers = ["nats://a"]
credentials = "hunter2"
[admin]
token = { env = "RELAY_TEST_SECRET" }
[recordings]
keys = [{ id = "a", secret = "hunter2-0123456789abcdef0123456789abcdef" }]
users = [{ name = "a", password = "hunter2" }]
access = "basic"
[defaults]
proxy = "http://user:hunter2@proxy"
signing = ["whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg=="]
[[service]]
name = "a"
url = "http://a"
auth.basic = { user = "u", password = "hunter2" }
[[service]]
name = "b"
url = "http://b"
auth.header = { name = "X-Key", value = "hunter2" }
[[service]]
name = "c"
url = "http://c"
auth.bearer = { file = "token" }
[[service]]
name = "d"
url = "http://d"
auth.oauth2 = { token_url = "https://d", client_id = "i", client_secret = "hunter2" }
[[service]]
name = "e"
url = "http://e"
type = "soap"
soap.operation = "o"
auth.wsse = { user = "u", password = "hunter2" }
[[source]]
name = "pbx"
password = "hunter2"
`

func loadSecretive(t *testing.T) *Config {
	t.Helper()
	t.Setenv("RELAY_TEST_SECRET", "hunter2")
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.toml")
	for name, text := range map[string]string{"relay.toml": secretive, "token": "hunter2\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := Load(path)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	return c
}

func TestSecretsAreResolved(t *testing.T) {
	c := loadSecretive(t)
	for name, s := range map[string]Secret{
		"intake.token": c.Intake.Token, "admin.token": c.Admin.Token, "bearer of c": c.Services[2].Auth.Bearer,
		"password of a": c.Services[0].Auth.Basic.Password, "password of pbx": c.Sources[0].Password,
	} {
		if got, want := s.Value(), "hunter2"; got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	c := loadSecretive(t)
	var shown bytes.Buffer
	for _, v := range []any{c, *c, c.Services, c.Services[0].Auth.Basic, c.Queue, c.Recordings, c.Recordings.Keys, c.Intake.Token, &c.Intake.Token} {
		fmt.Fprintf(&shown, "%v %+v %#v %s %q %x\n", v, v, v, v, v, v)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		shown.Write(text)
		slog.New(slog.NewTextHandler(&shown, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&shown, nil)).Info("json", "value", v)
	}
	for _, w := range c.Warnings() {
		fmt.Fprintln(&shown, w)
	}
	fmt.Fprintln(&shown, c.Fingerprint(), Changes(c, &Config{}))
	for _, secret := range []string{"hunter2", "aHVudGVy", fmt.Sprintf("%x", "hunter2")} {
		if i := strings.Index(shown.String(), secret); i >= 0 {
			t.Errorf("a secret is printed: %s", shown.String()[max(0, i-80):i+20])
		}
	}
	if !strings.Contains(shown.String(), mask) {
		t.Error("secrets are not shown as ***")
	}
}

func TestSecretsOfFeaturesThatAreOffAreNotWanted(t *testing.T) {
	c, problems := load(t, `
[intake]
token = { env = "RELAY_TEST_UNSET" }
[queue]
credentials = { env = "RELAY_TEST_UNSET" }
[admin]
listen = ""
token = { env = "RELAY_TEST_UNSET" }
[recordings]
access = "basic"
users = [{ name = "a", password = "x" }]
keys = [{ id = "a", secret = { env = "RELAY_TEST_UNSET" } }]
[[service]]
name = "a"
url = "http://127.0.0.1/"
active = false
auth.bearer = { env = "RELAY_TEST_UNSET" }
`)
	if len(problems) > 0 {
		t.Errorf("problems: %v", lines(problems))
	}
	if token := c.Intake.Token; !token.Set() || token.Value() != "" {
		t.Errorf("intake.token: set %v, value %q, want a token without a value", token.Set(), token.Value())
	}
	want := `service "a": auth.bearer: environment variable RELAY_TEST_UNSET is not set (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`
	if got := fmt.Sprint(c.Warnings()); !strings.Contains(got, want) {
		t.Errorf("warnings %s, want %s", got, want)
	}
}

func TestSecretIsCreatedOnce(t *testing.T) {
	file := "[admin]\ntoken = { file = \"run/secrets/token\", create = true }\n" +
		service + "signing = [{ file = \"run/secrets/signing\", create = true }]"
	c, problems := load(t, file)
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	first := c.Admin.Token.Value()
	if len(first) != 64 {
		t.Errorf("the token has %d characters, want 64", len(first))
	}
	if fault := signingFault(c.Services[0].Signing[0].Value()); fault != "" {
		t.Errorf("the signing secret %s", fault)
	}
	dir := filepath.Join(filepath.Dir(c.Path), "run/secrets")
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "token"): 0o600, filepath.Dir(dir): 0o755} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got&^want != 0 {
			t.Errorf("mode of %s = %o, want %o", path, got, want)
		}
	}
	if again, _ := Load(c.Path); again.Admin.Token.Value() != first {
		t.Error("the token changed when the file was loaded again")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("the folder holds %v, want the two secrets", left)
	}
}

func TestSecretCreatedByManyIsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets", "token")
	var wg sync.WaitGroup
	values := make([]string, 16)
	for i := range values {
		wg.Go(func() {
			s := Secret{&secretSource{path: path, create: true}}
			if err := s.resolve(randomHex, true); err != nil {
				t.Error(err)
			}
			values[i] = s.Value()
		})
	}
	wg.Wait()
	for _, v := range values {
		if v != values[0] || v == "" {
			t.Fatalf("several secrets: %q and %q", v, values[0])
		}
	}
}

// A key that cannot sign is a problem of the file: an event that needs it is too
// late to find that out.
func TestAKeyMustSign(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	for alg, want := range map[string]string{
		"ES384": "", "HS256": "",
		"ES256": "key cannot sign with ES256", "RS256": "key cannot sign with RS256", "EdDSA": "key cannot sign with EdDSA",
	} {
		key := "{ alg = \"" + alg + "\", key = { file = \"" + path + "\" } }"
		for where, auth := range map[string]string{
			"auth.jwt.":              "auth.jwt = " + key,
			"auth.oauth2.assertion.": "auth.oauth2 = { token_url = \"https://h/t\", grant = \"jwt_bearer\", assertion = " + key + " }",
		} {
			_, problems := load(t, "[[service]]\nname = \"crm\"\nurl = \"https://crm.example.com/\"\n"+auth)
			switch {
			case want == "" && len(problems) > 0:
				t.Errorf("%s: %v", alg, problems)
			case want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), "relay.toml:4: service \"crm\": "+where+want)):
				t.Errorf("%s: %v, want %s%s", alg, problems, where, want)
			}
		}
	}
}

func TestSecretThatEverybodyMayReadIsWarnedOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	c, problems := load(t, "[admin]\ntoken = { file = \""+path+"\" }")
	if len(problems) > 0 {
		t.Fatal(lines(problems))
	}
	if got, want := fmt.Sprint(c.Warnings()), "admin: token: everybody may open "+path+" (mode 0644)"; !strings.Contains(got, want) {
		t.Errorf("warnings %s, want %s", got, want)
	}
}

func TestNewSecret(t *testing.T) {
	if s := NewSecret("x"); !s.Set() || s.Value() != "x" {
		t.Errorf("NewSecret: set %v, value %q", s.Set(), s.Value())
	}
	if s := NewSecret(""); s.Set() || s.Value() != "" {
		t.Error("the empty secret is set")
	}
}

func TestCreatedSecretBelongsToTheFoldersOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes files for others")
	}
	const owner = 12345
	dir := t.TempDir()
	if err := os.Chown(dir, owner, owner); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "secrets", "key")
	if _, err := create(path, "text"); err != nil {
		t.Fatal(err)
	}
	for _, made := range []string{filepath.Dir(path), path} {
		info, err := os.Stat(made)
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != owner {
			t.Errorf("%s belongs to %d, want %d", made, uid, owner)
		}
	}
}
