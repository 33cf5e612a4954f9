package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fill sets every secret below a value to a text of its own, and makes whatever
// holds one. It returns the texts.
func fill(v reflect.Value) []string {
	var texts []string
	switch value := v.Addr().Interface().(type) {
	case *Secret:
		text := fmt.Sprintf("secret-%p", value)
		*value = NewSecret(text)
		return []string{text}
	case *[]Field:
		*value = []Field{{Name: "X-Key"}}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.Type().Elem().PkgPath() == reflect.TypeFor[Service]().PkgPath() {
			v.Set(reflect.New(v.Type().Elem()))
			return fill(v.Elem())
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[[]Secret]() {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			texts = append(texts, fill(v.Index(i))...)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				texts = append(texts, fill(field)...)
			}
		}
	}
	return texts
}

// TestSecretsAreFoundByTheirType finds a place of a secret that is not looked
// through, also one that no service has yet.
func TestSecretsAreFoundByTheirType(t *testing.T) {
	var s struct {
		Service Service `toml:"service"`
		New     struct {
			Deep *struct {
				Keys []struct {
					Key Secret `toml:"key"`
				} `toml:"keys"`
			} `toml:"deep"`
		} `toml:"new"`
	}
	want := fill(reflect.ValueOf(&s.Service).Elem())
	got := s.Service.Secrets()
	for _, text := range want {
		if strings.HasPrefix(text, "secret-") && !slices.Contains(got, text) && !inParams(&s.Service, text) {
			t.Errorf("a secret of %d is not found", len(want))
		}
	}
	if len(got) < 8 {
		t.Errorf("%d secrets were found", len(got))
	}

	s.New.Deep = &struct {
		Keys []struct {
			Key Secret `toml:"key"`
		} `toml:"keys"`
	}{}
	s.New.Deep.Keys = append(s.New.Deep.Keys, struct {
		Key Secret `toml:"key"`
	}{NewSecret("deep")})
	found := ""
	node{value: reflect.ValueOf(&s).Elem()}.each(func(n node) bool {
		if secret, ok := reflect.TypeAssert[Secret](n.value); ok && secret.Value() == "deep" {
			found = join(n.at.key, n.key)
		}
		return true
	})
	if want := "new.deep.keys[0].key"; found != want {
		t.Errorf("the secret of a new field was found at %q, want %q", found, want)
	}
}

func inParams(s *Service, text string) bool {
	return slices.ContainsFunc(s.Params, func(f Field) bool { return f.Secret.Value() == text })
}

// TestSecretsHaveAKind finds a tag that names none, and one that is gone.
func TestSecretsHaveAKind(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var kinds []string
	var look func(reflect.Type)
	look = func(table reflect.Type) {
		for table.Kind() == reflect.Pointer || table.Kind() == reflect.Slice {
			table = table.Elem()
		}
		if table.Kind() != reflect.Struct || seen[table] {
			return
		}
		seen[table] = true
		for field := range table.Fields() {
			if _, ok := secretKinds[field.Tag.Get("secret")]; !ok {
				t.Errorf("%v.%s is a secret of the kind %q", table, field.Name, field.Tag.Get("secret"))
			}
			if kind := field.Tag.Get("secret"); kind != "" {
				kinds = append(kinds, table.Name()+"."+field.Name+" "+kind)
			}
			if part := field.Tag.Get("part"); part != "" && !slices.Contains([]string{"label", "schedule", "request", "connection"}, part) {
				t.Errorf("%v.%s belongs to the part %q", table, field.Name, part)
			}
			look(field.Type)
		}
	}
	look(reflect.TypeFor[Config]())
	const want = "Admin.Token header, Auth.Bearer header, HeaderAuth.Value header, Intake.Token header, Key.Secret key, " +
		"Service.Headers header, Service.Proxy proxy, Service.Signing signing"
	if slices.Sort(kinds); strings.Join(kinds, ", ") != want {
		t.Errorf("secrets of a kind are %s", strings.Join(kinds, ", "))
	}
}

func TestSameConnection(t *testing.T) {
	for _, test := range []struct {
		name, toml                string
		sameConnection, sameQuest bool
	}{
		{"nothing", ``, true, true},
		{"a name for people", `description = "x"`, true, true},
		{"when", `rate = "1/s"`, true, true},
		{"what is sent", `json = "{}"`, true, false},
		{"a secret header", `headers = { X-Key = { env = "RELAY_TEST_SECRET" } }`, true, false},
		{"a timeout", `timeout = "1s"`, false, false},
		{"a proxy", `proxy = "http://p:1"`, false, false},
		{"how much at once", `concurrency = 3`, false, true},
		{"the largest answer", `max_response = "1KiB"`, false, false},
		{"who may be called", `allow_private = false`, false, false},
		{"certificates", `tls = { server_name = "x" }`, false, false},
		{"credentials", `auth.bearer = "x"`, false, false},
	} {
		t.Setenv("RELAY_TEST_SECRET", "x")
		a, _ := load(t, service)
		b, problems := load(t, service+test.toml)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := SameConnection(&a.Services[0], &b.Services[0]); got != test.sameConnection {
			t.Errorf("%s: same connection %v", test.name, got)
		}
		if got := SameRequest(&a.Services[0], &b.Services[0]); got != test.sameQuest {
			t.Errorf("%s: same request %v", test.name, got)
		}
	}
	t.Setenv("RELAY_TEST_SECRET", "one")
	one, _ := load(t, service+`auth.bearer = { env = "RELAY_TEST_SECRET" }`)
	t.Setenv("RELAY_TEST_SECRET", "two")
	two, _ := load(t, service+`auth.bearer = { env = "RELAY_TEST_SECRET" }`)
	if SameRequest(&one.Services[0], &two.Services[0]) {
		t.Error("a secret that changed where it is kept does not count")
	}
}

func TestLookWritesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.toml")
	text := "[admin]\ntoken = { file = \"run/secrets/token\", create = true }\n" +
		service + `signing = [{ file = "run/secrets/signing", create = true }]`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Look(path)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v (%v), want relay.toml alone", left, err)
	}
	if len(c.Admin.Token.Value()) != 64 || signingFault(c.Services[0].Signing[0].Value()) != "" {
		t.Error("secrets that Load would make are not made up")
	}
}

func TestBlanksAroundASecretAreTakenOff(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"token": "\ufeff  tok en \t\r\n\n", "relay.toml": "[admin]\ntoken = { file = \"token\" }"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, problems := Load(filepath.Join(dir, "relay.toml"))
	if len(problems) > 0 || c.Admin.Token.Value() != "tok en" {
		t.Errorf("the token is %q (%v)", c.Admin.Token.Value(), problems)
	}
}

func TestHeadersAndQueryMayBeSecrets(t *testing.T) {
	t.Setenv("RELAY_TEST_SECRET", "hidden-1")
	c, problems := load(t, service+"headers = { X-Key = { env = \"RELAY_TEST_SECRET\" }, X-Plain = \"#ani#\" }\n[service.query]\ncode = { file = \"code\", create = true }")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := c.Services[0]
	if got := s.Headers[0].Secret.Value(); got != "hidden-1" || s.Headers[1].Value != "#ani#" || len(s.Query[0].Secret.Value()) != 64 {
		t.Errorf("headers %v, query %v, secret %q", s.Headers, s.Query, got)
	}
	if text := c.Text(); strings.Contains(text, "hidden") || !strings.Contains(text, `headers["X-Key"] = env RELAY_TEST_SECRET`) {
		t.Errorf("Text shows:\n%s", text)
	}
	_, problems = load(t, service+"headers = { X-Key = { env = \"RELAY_TEST_UNSET\" } }")
	if want := `service "crm": headers.X-Key: environment variable RELAY_TEST_UNSET is not set (the packaged service has its environment from /etc/relay/relay.env, read when it starts: then restart it)`; len(problems) != 1 || !strings.Contains(problems[0].Text, want) {
		t.Errorf("problems %v, want %s", problems, want)
	}
	t.Setenv("RELAY_TEST_SECRET", "two\nlines")
	if _, problems = load(t, service+"headers = { X-Key = { env = \"RELAY_TEST_SECRET\" } }"); len(problems) != 1 {
		t.Errorf("a header with a line end: problems %v", problems)
	}
}

func TestMistakesWithSecretsAreWarnedOf(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a shell's variable", "[admin]\ntoken = \"${RELAY_TOKEN}\"", "2: admin: token looks like the name of where a secret is"},
		{"a variable of compose", "[admin]\ntoken = \"env:RELAY_TOKEN\"", "2: admin: token looks like the name of where a secret is"},
		{"a variable within a secret", "[admin]\ntoken = \"a${RELAY_TOKEN}b\"", "2: admin: token looks like the name of where a secret is"},
		{"a variable for a header", service + "headers = { Authorization = \"Bearer ${TOKEN}\" }", `4: service "crm": headers.Authorization looks like the name of where a secret is`},
		{"a variable for the filter hmac", service + "secrets = { hub = \"env:HUB\" }", `4: service "crm": secrets.hub looks like the name of where a secret is`},
		{"a header that is a key", service + "[service.headers]\ntimeout = \"3s\"", `5: service "crm": headers.timeout is a key of [[service]], and is sent as one of headers`},
		{"a claim that is a key", service + "auth.jwt = { alg = \"HS256\", key = \"0123456789abcdef0123456789abcdef\" }\n[service.auth.jwt.claims]\nsub = \"a\"\nactive = false", `7: service "crm": auth.jwt.claims.active is a key of [[service]], and is sent as one of claims`},
		{"a parameter that is a key", service + "[service.query]\nconcurrency = \"3\"", `5: service "crm": query.concurrency is a key of [[service]], and is sent as one of query`},
	} {
		c, problems := load(t, test.text)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := fmt.Sprint(c.Warnings()); !strings.Contains(got, test.want) {
			t.Errorf("%s: warnings %s, want %s", test.name, got, test.want)
		}
	}
	c, _ := load(t, service+"[service.query]\ntype = \"call\"\nname = \"#agent_id#\"\ntimeout = \"#ani#\"\n[service.headers]\nX-Active = \"1\"")
	if warnings := c.Warnings(); len(warnings) > 0 {
		t.Errorf("parameters that are meant: %v", warnings)
	}
	for text, want := range map[string]string{
		"[service.headers]\nsuccess = [\"2xx\"]": `headers.success is a key of [[service]], and stands in headers: move it above that table`,
		"[service.breaker]\ntimeout = \"1s\"":    `breaker.timeout is not a known key (a key of [[service]]: move it above the table of breaker)`,
	} {
		if _, problems := load(t, service+text); len(problems) != 1 || !strings.Contains(problems[0].Text, want) {
			t.Errorf("problems %v, want %s", problems, want)
		}
	}
}

func TestSecretInAFileThatEverybodyMayRead(t *testing.T) {
	c, problems := load(t, "[admin]\ntoken = \"hidden\"")
	if len(problems) > 0 || len(c.Warnings()) > 0 {
		t.Fatal(problems, c.Warnings())
	}
	if err := os.Chmod(c.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	c, _ = Look(c.Path)
	if got := fmt.Sprint(c.Warnings()); !strings.Contains(got, "2: admin: token stands here as it is, and everybody may read this file (mode 0644") || strings.Contains(got, "hidden") {
		t.Errorf("warnings %s", got)
	}
}

func TestSocketOf(t *testing.T) {
	const broken = "\n[[service]\nname = \"a\nx = = 1\n"
	for _, test := range []struct {
		name, text, want string
		known            bool
	}{
		{"a file without it", "", "run/admin.sock", true},
		{"a file with problems", "[admin]\nsocket = \"a.sock\"\nnonsense = 1", "a.sock", true},
		{"a broken file", "[intake]\nsocket = \"i.sock\"\n[admin]\n socket = \"b.sock\" # here" + broken, "b.sock", true},
		{"a broken file, dotted", "admin.socket = 'c.sock'" + broken, "c.sock", true},
		{"a broken file, inline", "admin = { socket = \"d.sock\" }" + broken, "d.sock", true},
		{"a broken file without it", "[intake]\nsocket = \"i.sock\"" + broken, "run/admin.sock", false},
	} {
		path := filepath.Join(t.TempDir(), "relay.toml")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, known, err := SocketOf(path, "admin")
		if want := filepath.Join(filepath.Dir(path), test.want); got != want || known != test.known || err != nil {
			t.Errorf("%s: %s, %v, %v; want %s, %v", test.name, got, known, err, want, test.known)
		}
	}
	path := filepath.Join(t.TempDir(), "relay.toml")
	for text, want := range map[string]string{"[queue]\ndir = \"/q\"\n": "/q", "[queue]\ndir = \"/q\"\n" + broken: "/q", broken: filepath.Join(filepath.Dir(path), "run/queue")} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _, err := SocketOf(path, "queue"); got != want || err != nil {
			t.Errorf("%q: the folder is %s, %v, want %s", text, got, err, want)
		}
	}
	if _, _, err := SocketOf(filepath.Join(t.TempDir(), "none"), "admin"); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
}
