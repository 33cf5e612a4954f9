package config

import "regexp"

// How other programs write what is elsewhere: within any text, and as a whole
// secret.
var (
	variable  = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*\}`)
	reference = regexp.MustCompile(`^(?:\$[A-Z_][A-Z0-9_]*|(?:env|file):\S+)$`)
)

// warnReference warns of a text that names a secret, and is none. In a text that
// only may be secret, env:prod may be meant.
func (f decoder) warnReference(at place, key, text string, secret bool) {
	if variable.MatchString(text) || secret && reference.MatchString(text) {
		f.warn(at, key, `%s looks like the name of where a secret is, and is taken as it is (write { env = "NAME" } or { file = "path" })`, numbered(key))
	}
}

// secret decodes "text", { env = "NAME" } and { file = "path", create = true }.
// No problem here quotes a value.
func (f decoder) secret(at place, key string, value any, dst *Secret) {
	switch value := value.(type) {
	case string:
		*dst = NewSecret(value)
		f.warnReference(at, key, value, true)
	case map[string]any:
		f.secretTable(at.in(key), key, value, dst)
	default:
		f.report(at, key, `%s is %s, not a secret ("text", { env = "NAME" } or { file = "path" })`, numbered(key), kind(value))
	}
}

func (f decoder) secretTable(at place, key string, values map[string]any, dst *Secret) {
	var table struct {
		Env    string `toml:"env"`
		File   string `toml:"file,path"`
		Create bool   `toml:"create"`
	}
	before := len(f.problems.all)
	f.table(at, values, &table)
	switch {
	case len(f.problems.all) > before:
	case (table.Env == "") == (table.File == ""):
		at.key = parent(at.key)
		f.report(at, key, "%s needs one of env and file", numbered(key))
	case table.Create && table.Env != "":
		f.report(at, "create", "create is for a file, not for env")
	default:
		*dst = Secret{&secretSource{env: table.Env, path: table.File, create: table.Create}}
	}
}

// secrets decodes a list of secrets.
func (f decoder) secrets(at place, key string, value any, dst *[]Secret) {
	var values []any
	switch value := value.(type) {
	case []any:
		values = value
	case []map[string]any:
		for _, table := range value {
			values = append(values, table)
		}
	default:
		f.report(at, key, "%s is %s, not a list of secrets", key, kind(value))
		return
	}
	*dst = make([]Secret, len(values))
	for i, value := range values {
		if f.secret(at, element(key, i), value, &(*dst)[i]); !(*dst)[i].Set() {
			f.report(at, element(key, i), "%s holds an empty secret", key)
		}
	}
}

// A secretKind is what a secret must look like, and how one is made.
type secretKind struct {
	random func() string
	fault  func(value string) string // says what is wrong, without the value; "" when nothing is
}

// secretKinds are the kinds of secrets, by what the field's tag "secret" says.
var secretKinds = map[string]secretKind{
	"":        {randomHex, func(string) string { return "" }},
	"header":  {randomHex, headerFault},
	"key":     {randomHex, keyFault},
	"proxy":   {randomHex, proxyFault},
	"signing": {randomSigning, signingFault},
}

// reporter is how a fault is reported: file.report or file.warn.
type reporter func(at place, key, format string, args ...any)

// required reports a secret that is missing although a feature cannot do without
// it. The feature is named when another key turns it on.
func (f rules) required(at place, key string, s Secret, feature string) {
	switch {
	case s.Set():
	case feature != "":
		f.report(at, key, "%s is missing (%s needs it)", key, feature)
	default:
		f.report(at, key, "%s is missing", key)
	}
}

// reporterFor returns how faults outside the file are reported: what an inactive service
// lacks is not missed yet.
func (f *file) reporterFor(s *Service) reporter {
	if s.Active {
		return f.report
	}
	return f.warn
}
