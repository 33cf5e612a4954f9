package config

import (
	"reflect"
	"slices"
)

// Parse reads a file and judges it by itself: it opens nothing that the file
// names, and writes nothing. The problems are in file order. The Config is nil
// only when the file cannot be read or is not TOML.
//
// A service takes from [defaults] every key it does not give itself: breaker,
// tls and soap are merged key by key, all others (headers, query and auth, too)
// are taken whole. In [defaults] there can be no name, no url and no body; soap
// there is for the services of type soap.
//
// Relative paths become absolute, against the folder of the file.
func Parse(path string) (*Config, []Problem) {
	f, problem := open(path)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	return f.config()
}

// config decodes and checks the file.
func (f *file) config() (*Config, []Problem) {
	c := &Config{Path: f.name, file: f}
	decoder{f}.decode(c)
	for i := range c.Sources {
		c.Sources[i].derive()
	}
	for i := range c.Services {
		c.derive(i)
	}
	c.check()
	warnings{c}.all()
	c.closeUnused()
	f.values = nil // it holds secrets
	Sort(f.problems.all)
	Sort(f.warnings.all)
	return c, f.problems.all
}

// decoder turns the values of a file into a Config.
type decoder struct{ *file }

func (f decoder) decode(c *Config) {
	f.unknown()
	f.section("intake", &c.Intake)
	f.section("queue", &c.Queue)
	f.section("admin", &c.Admin)
	if f.index.has("recordings") {
		c.Recordings = &Recordings{}
		f.section("recordings", c.Recordings)
	}
	f.section("defaults", &c.Defaults)
	c.Services = arrayOf(f, "service", func(s *Service) { *s = c.Defaults })
	c.Bindings = f.bindings()
	c.Mappings = arrayOf(f, "mapping", func(*Mapping) {})
	c.Sources = arrayOf(f, "source", func(s *Source) { f.setDefaults(s) })
}

// unknown reports the tables that no relay.toml has.
func (f decoder) unknown() {
	known := keysOf(reflect.TypeFor[Config]())
	for _, key := range f.names(place{}, f.values) {
		if !slices.Contains(known, key) {
			f.report(place{}, key, "%s is not a known table (%s)", key, suggest(key, known))
		}
	}
}

// section decodes a table of the top level over its defaults.
func (f decoder) section(name string, into any) {
	f.setDefaults(into)
	value, ok := f.values[name]
	if !ok {
		return
	}
	values, ok := value.(map[string]any)
	if !ok {
		f.report(place{}, name, "%s is %s, not a table ([%s])", name, kind(value), name)
		return
	}
	f.table(place{item: name, path: name}, values, into)
}

// arrayOf decodes an array of tables of the top level; first is called on each
// element before its own keys.
func arrayOf[T any](f decoder, name string, first func(*T)) []T {
	value, ok := f.values[name]
	if !ok {
		return nil
	}
	tables, ok := tablesOf(value)
	if !ok {
		f.report(place{}, name, "%s is %s, not a list of tables ([[%s]])", name, kind(value), name)
		return nil
	}
	all := make([]T, len(tables))
	for i, values := range tables {
		first(&all[i])
		own, _ := values["name"].(string)
		f.table(named(Ref{name, i}, own), values, &all[i])
	}
	return all
}

// bindings decodes the bindings, which have a key for each kind of scope.
func (f decoder) bindings() []Binding {
	tables := arrayOf(f, "binding", func(*bindingTable) {})
	all := make([]Binding, len(tables))
	for i, t := range tables {
		all[i] = Binding{Events: t.Event, Where: t.Where, Services: t.Service}
		at := named(Ref{"binding", i}, "")
		for k, names := range t.scopes() {
			scope, first := ScopeKinds()[k], all[i].ScopeKind
			switch {
			case !f.given(at, scope):
			case first != "":
				f.report(at, scope, "%s cannot stand beside %s (a binding has one scope)", scope, first)
			default:
				all[i].ScopeKind, all[i].Scopes = scope, names
			}
		}
	}
	return all
}

// BodyKinds returns the keys of which a service gives at most one: those that
// are marked as a body.
func BodyKinds() []string {
	return keysWith("body", reflect.TypeFor[Service]())
}

// BodyText returns the template of a body that is one text; empty for any other.
func (s *Service) BodyText() string {
	field, _, ok := fieldOf(reflect.ValueOf(s).Elem(), s.Body)
	if !ok || field.Kind() != reflect.String {
		return ""
	}
	return field.String()
}

// derive derives what of a service depends on which keys the file gives.
func (c *Config) derive(i int) {
	s, at := &c.Services[i], c.servicePlace(i)
	for _, key := range BodyKinds() {
		if !c.file.given(at, key) {
			continue
		}
		if s.Body != "" {
			c.file.report(at, key, "%s cannot stand beside %s (a service has one body)", key, s.Body)
			continue
		}
		s.Body = key
	}
	if s.Type != "soap" && !c.file.given(at, "soap") {
		s.SOAP = nil
	}
	if s.Type == "soap" && s.SOAP == nil {
		s.SOAP = &SOAP{}
		decoder{c.file}.setDefaults(s.SOAP)
	}
}
