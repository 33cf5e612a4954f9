package config

import "os"

// secret decodes "text", { env = "NAME" } and { file = "path", create = true }.
// No problem here quotes a value.
func (f *file) secret(at place, key string, value any, dst *Secret) {
	switch value := value.(type) {
	case string:
		*dst = NewSecret(value)
	case map[string]any:
		f.secretTable(at.in(key), key, value, dst)
	default:
		f.report(at, key, `%s is %s, not a secret ("text", { env = "NAME" } or { file = "path" })`, numbered(key), kind(value))
	}
}

func (f *file) secretTable(at place, key string, values map[string]any, dst *Secret) {
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
		*dst = Secret{&held{env: table.Env, path: table.File, create: table.Create}}
	}
}

// secrets decodes a list of secrets.
func (f *file) secrets(at place, key string, value any, dst *[]Secret) {
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

// The kinds of secrets.
var (
	plainSecret   = secretKind{randomHex, func(string) string { return "" }}
	headerSecret  = secretKind{randomHex, headerFault}
	keySecret     = secretKind{randomHex, keyFault}
	proxySecret   = secretKind{randomHex, proxyFault}
	signingSecret = secretKind{randomSigning, signingFault}
)

// complain is how a fault is told: file.report or file.warn.
type complain func(at place, key, format string, args ...any)

// required resolves a secret that a feature cannot do without. The feature is
// named when another key turns it on.
func (f *file) required(at place, key string, s Secret, kind secretKind, feature string) {
	switch {
	case s.Set():
		f.resolve(f.report, at, key, s, kind)
	case feature != "":
		f.report(at, key, "%s is missing (%s needs it)", key, feature)
	default:
		f.report(at, key, "%s is missing", key)
	}
}

// resolve resolves a secret where it is configured, and judges its form.
func (f *file) resolve(tell complain, at place, key string, s Secret, kind secretKind) {
	if !s.Set() {
		return
	}
	if err := s.resolve(kind.random); err != nil {
		tell(at, key, "%s: %v", numbered(key), err)
		return
	}
	if fault := kind.fault(s.Value()); fault != "" {
		tell(at, key, "%s %s", numbered(key), fault)
	}
	if info, err := os.Stat(s.held.path); err == nil && info.Mode().Perm()&0o007 != 0 {
		f.warn(at, key, "%s: everybody may open %s (mode %#o)", numbered(key), s.held.path, info.Mode().Perm())
	}
}

// checkSecrets resolves the secrets of a service. Those of an inactive service
// may be missing: they are warned of.
func (c *Config) checkSecrets(at place, s *Service) {
	f, tell := c.file, c.file.teller(s)
	f.resolve(tell, at, "proxy", s.Proxy, proxySecret)
	for i, secret := range s.Signing {
		f.resolve(tell, at, element("signing", i), secret, signingSecret)
	}
	in := at.in("auth")
	f.resolve(tell, in, "bearer", s.Auth.Bearer, headerSecret)
	if a := s.Auth.Basic; a != nil {
		f.resolve(tell, in.in("basic"), "password", a.Password, plainSecret)
	}
	if a := s.Auth.Header; a != nil {
		f.resolve(tell, in.in("header"), "value", a.Value, headerSecret)
	}
	if a := s.Auth.OAuth2; a != nil {
		f.resolve(tell, in.in("oauth2"), "client_secret", a.ClientSecret, plainSecret)
	}
	if a := s.Auth.WSSE; a != nil {
		f.resolve(tell, in.in("wsse"), "password", a.Password, plainSecret)
	}
}

// teller returns how faults outside the file are told: what an inactive service
// lacks is not missed yet.
func (f *file) teller(s *Service) complain {
	if s.Active {
		return f.report
	}
	return f.warn
}
