package config

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commented finds keys and tables of relay.toml that are commented out.
var commented = regexp.MustCompile(`(?m)^# (\[\[?[a-z0-9_.]+\]\]?|[a-z0-9_.]+ +=.*)$`)

// example returns relay.toml as the manual shows it: the file itself may have been
// edited by who tries it.
func example(t testing.TB) string {
	t.Helper()
	page, err := os.ReadFile("../relay/manual/config.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```toml\n")
	text, _, found := strings.Cut(text, "\n```\n")
	if !found {
		t.Fatal("the manual does not show relay.toml")
	}
	return text + "\n"
}

// exampleKeys returns the keys that relay.toml shows, commented out or not,
// without the numbers of elements.
func exampleKeys(t *testing.T) map[string]bool {
	t.Helper()
	text := example(t)
	keys := map[string]bool{}
	for path := range newIndex(commented.ReplaceAllString(text, "$1")).at {
		keys[regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "")] = true
	}
	return keys
}

// schemaKeys adds the keys of a struct, and of the structs in it.
func schemaKeys(path string, t reflect.Type, keys map[string]bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t == reflect.TypeFor[Binding]() {
		t = reflect.TypeFor[bindingTable]()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for field := range t.Fields() {
		key, _, _ := strings.Cut(field.Tag.Get("toml"), ",")
		if key != "" {
			keys[join(path, key)] = true
			schemaKeys(join(path, key), field.Type, keys)
		}
	}
}

// shown reports whether a key of the schema is in the file: those of a service
// may stand in [defaults], and those of tls in any table that has one.
func shown(key string, keys map[string]bool) bool {
	rest, service := strings.CutPrefix(key, "service.")
	if strings.HasPrefix(key, "defaults.") {
		return true
	}
	if before, after, tls := strings.Cut(key, ".tls."); tls {
		return keys["service.tls."+after] && keys[before+".tls"]
	}
	return keys[key] || service && keys["defaults."+rest]
}

func TestExampleShowsEveryKey(t *testing.T) {
	schema, keys := map[string]bool{}, exampleKeys(t)
	schemaKeys("", reflect.TypeFor[Config](), schema)
	for _, key := range slices.Sorted(maps.Keys(schema)) {
		if !shown(key, keys) {
			t.Errorf("relay.toml does not show %s", key)
		}
	}
}

func TestExampleShowsNoKeyThatIsNot(t *testing.T) {
	schema := map[string]bool{}
	schemaKeys("", reflect.TypeFor[Config](), schema)
	free := regexp.MustCompile(`\.(headers|query|params|multipart|where|claims|secrets)\..*|\.(token|credentials|secret|password|bearer|signing|value|client_secret|refresh_token|key|access_key|secret_key|session_token)\.(env|file|create)$`)
	for key := range exampleKeys(t) {
		if !schema[key] && !free.MatchString(key) {
			t.Errorf("relay.toml shows %s, which there is not", key)
		}
	}
}

// loadExample loads relay.toml as from a fresh clone.
func loadExample(t *testing.T) *Config {
	t.Helper()
	c, problems := load(t, example(t))
	for _, p := range problems {
		t.Error(p)
	}
	if t.Failed() {
		t.FailNow()
	}
	return c
}

func TestExampleRunsAsItIs(t *testing.T) {
	c := loadExample(t)
	for _, w := range c.Warnings() {
		t.Errorf("warning: %s", w)
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(c.Path), "run/secrets/recording.key"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode of the recording key = %o, want %o", got, want)
	}
}

func TestExampleShowsTheDefaults(t *testing.T) {
	got := loadExample(t)
	want, _ := load(t, "[recordings]")
	got.Recordings.Keys, want.Recordings.Keys = nil, nil
	dir := filepath.Dir(want.Path)
	for path, text := range tables(want) {
		if shown := strings.ReplaceAll(tables(got)[path], filepath.Dir(got.Path), dir); shown != text {
			t.Errorf("relay.toml shows %s, the default is %s", shown, text)
		}
	}
}

// tables returns the values of the tables whose defaults relay.toml shows.
func tables(c *Config) map[string]string {
	values := map[string]string{}
	for path, table := range map[string]any{
		"intake": c.Intake, "queue": c.Queue, "admin": c.Admin, "recordings": *c.Recordings, "defaults": c.Defaults,
	} {
		walk(path, reflect.ValueOf(table), Secret.origin, func(key, value string) { values[key] = key + " = " + value })
	}
	return values
}
