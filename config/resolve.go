package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
)

// Load reads a file, judges it, and resolves what it names: secrets, files and
// users. A secret file with create = true is made when it is missing and its
// feature is on. The problems are in file order; with any the Config is not to
// be run. It is nil only when the file cannot be read or is not TOML.
func Load(path string) (*Config, []Problem) { return read(path, true) }

// Look is [Load] for those who only look: it writes nothing. A secret that Load
// would make is made up, and not kept.
func Look(path string) (*Config, []Problem) { return read(path, false) }

func read(path string, create bool) (*Config, []Problem) {
	c, problems := Parse(path)
	if c == nil {
		return nil, problems
	}
	r := resolver{Config: c, create: create}
	r.resolve()
	Sort(c.file.problems.all)
	Sort(c.file.warnings.all)
	return c, slices.Clone(c.file.problems.all)
}

// resolver reads what lies outside the file. It finds it by its type: a new
// secret, or new TLS settings, need no mention here.
type resolver struct {
	*Config
	create bool // secrets that are missing
}

func (r *resolver) resolve() {
	f := r.file
	var resolved []func() // what is judged once all secrets are known
	r.parts(func(part node) {
		report := f.report
		if s, ok := reflect.TypeAssert[*Service](part.value.Addr()); ok {
			report = f.reporterFor(s)
		}
		part.each(func(n node) bool {
			switch value := n.value.Interface().(type) {
			case Secret:
				if !r.off(n) {
					f.resolve(report, n, value, r.create)
				}
				return false
			case *TLS:
				f.tlsFiles(report, n.at, n.key, value)
			case *JWT:
				if value != nil {
					resolved = append(resolved, func() { value.signingKey(report, n.at.in(n.key)) })
				}
			}
			return true
		})
	})
	for _, judge := range resolved {
		judge()
	}
	checks{r.Config, rules{f}}.checkOverlap()
	warnings{r.Config}.warnUsers()
	r.warnReadable()
}

// off reports whether a secret belongs to a feature that is off. A secret that is
// not named here is always wanted.
func (r *resolver) off(n node) bool {
	switch where := join(n.at.path, join(n.at.key, n.key)); {
	case where == "intake.token":
		return r.Intake.Listen == ""
	case where == "admin.token":
		return r.Admin.Listen == ""
	case where == "queue.credentials":
		return len(r.Queue.Servers) == 0
	case strings.HasPrefix(where, "recordings.keys["):
		return !r.access("signed") && !r.access("anonymous")
	}
	return false
}

// resolve resolves a secret, and judges its form.
func (f *file) resolve(report reporter, n node, s Secret, create bool) {
	if !s.Set() {
		return
	}
	kind := secretKinds[n.tag.Get("secret")]
	if err := s.resolve(kind.random, create); err != nil {
		report(n.at, n.key, "%s: %v", numbered(n.key), err)
		return
	}
	if fault := kind.fault(s.Value()); fault != "" {
		report(n.at, n.key, "%s %s", numbered(n.key), fault)
	}
	if info, err := os.Stat(s.source.path); err == nil && info.Mode().Perm()&0o007 != 0 {
		f.warn(n.at, n.key, "%s: everybody may open %s (mode %#o)", numbered(n.key), s.source.path, info.Mode().Perm())
	}
}

// warnReadable warns of a file that everybody may read although it holds a
// secret itself.
func (r *resolver) warnReadable() {
	info, err := os.Stat(r.Path)
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return
	}
	warned := false
	r.parts(func(part node) {
		part.each(func(n node) bool {
			if s, ok := reflect.TypeAssert[Secret](n.value); ok && s.inText() && !warned {
				warned = true
				r.file.warn(n.at, n.key, "%s stands here as it is, and everybody may read this file (mode %#o; chmod o-r, or use { file = \"path\" })",
					numbered(n.key), info.Mode().Perm())
			}
			return true
		})
	})
}

// Secrets returns what the service must not show: the value of each secret that
// it has anywhere.
func (s *Service) Secrets() []string {
	var values []string
	node{value: reflect.ValueOf(s).Elem()}.each(func(n node) bool {
		if secret, ok := reflect.TypeAssert[Secret](n.value); ok && secret.Value() != "" {
			values = append(values, secret.Value())
		}
		return true
	})
	return values
}
