package config

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	eventName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	tagName   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// bindingChecks judge the other tables of which there are many: bindings,
// mappings and sources.
type bindingChecks struct {
	*Config
	rules
}

func (c bindingChecks) all() {
	c.checkBindings()
	c.checkMappings()
	c.checkSources()
}

func (c bindingChecks) checkBindings() {
	defined := make([]string, 0, len(c.Services))
	for _, s := range c.Services {
		defined = append(defined, s.Name)
	}
	spelt := map[string]string{}
	for i, b := range c.Bindings {
		at := c.place(Ref{"binding", i})
		c.rules.warnScopes(at, b, spelt)
		c.checkEvents(at, b.Events)
		c.checkScope(at, b)
		c.checkBound(at, b.Services, defined)
	}
}

func (c bindingChecks) checkEvents(at place, events []string) {
	f := c.rules
	if len(events) == 0 {
		f.report(at, "event", "event is missing")
	}
	for i, event := range events {
		if !eventName.MatchString(event) {
			f.report(at, f.elementOf(at, "event", i), "event %q is not a name (at most 64 of a-z 0-9 _)", event)
		}
	}
}

func (c bindingChecks) checkScope(at place, b Binding) {
	f := c.rules
	if b.ScopeKind != "" && (len(b.Scopes) == 0 || slices.Contains(b.Scopes, "")) {
		f.report(at, b.ScopeKind, "%s is empty (leave it out for any scope)", b.ScopeKind)
	}
	for _, w := range b.Where {
		switch {
		case !tagName.MatchString(w.Tag):
			f.report(at.in("where"), w.Tag, "%q is not the name of a tag", w.Tag)
		case len(w.Values) == 0:
			f.report(at.in("where"), w.Tag, "%s has no value (nothing would ever match)", w.Tag)
		}
	}
}

// warnScopes warns of what can hardly be the name of a queue or the like: a list
// within one text, blanks around it, and one that another binding writes in
// other letters, as spelt knows them.
func (f rules) warnScopes(at place, b Binding, spelt map[string]string) {
	for i, name := range b.Scopes {
		key, folded := f.elementOf(at, b.ScopeKind, i), b.ScopeKind+" "+strings.ToLower(name)
		switch other := spelt[folded]; {
		case strings.Contains(name, ","):
			f.warn(at, key, "%s %q is one name, with a comma in it; several are a list: [\"a\", \"b\"]", b.ScopeKind, name)
		case name != strings.TrimSpace(name):
			f.warn(at, key, "%s %q has blanks around it, which count", b.ScopeKind, name)
		case other != "" && other != name:
			f.warn(at, key, "%s %q is %q in another binding, and capitals count", b.ScopeKind, name, other)
		}
		spelt[folded] = name
	}
}

// checkBound reports services that are not there.
func (c bindingChecks) checkBound(at place, names, defined []string) {
	f := c.rules
	if len(names) == 0 {
		f.report(at, "service", "service is missing")
	}
	for i, name := range names {
		if !slices.Contains(defined, name) {
			f.report(at, f.elementOf(at, "service", i), "service %q is not defined (%s)", name, among(name, defined))
		}
	}
}

// manyServices is how many names a problem lists at most.
const manyServices = 20

// among lists the services that are defined, or the nearest when there are many.
func among(name string, defined []string) string {
	near := Nearest(name, defined)
	switch {
	case len(defined) == 0:
		return "none is defined"
	case len(defined) <= manyServices:
		return "defined: " + sorted(defined)
	case near != "":
		return fmt.Sprintf("nearest: %s; %d are defined", near, len(defined))
	}
	return fmt.Sprintf("%d are defined", len(defined))
}

// elementOf is the key of an element of a list that may be written as its only
// element.
func (f rules) elementOf(at place, key string, i int) string {
	if f.given(at, element(key, i)) {
		return element(key, i)
	}
	return key
}

func (c bindingChecks) checkMappings() {
	f, taken := c.rules, map[string]bool{}
	for i, m := range c.Mappings {
		at := c.place(Ref{"mapping", i})
		for _, key := range []string{"from", "to"} {
			if !f.given(at, key) {
				f.report(at, key, "%s is missing", key)
			}
		}
		if taken[m.From] {
			f.report(at, "from", "from %q is mapped twice", m.From)
		}
		taken[m.From] = true
	}
}

func (c bindingChecks) checkSources() {
	f, taken := c.rules, map[string]bool{}
	for i, s := range c.Sources {
		at := c.place(Ref{"source", i})
		f.named(at, "name", s.Name)
		if taken[s.Name] && s.Name != "" {
			f.report(at, "name", "name %q is taken", s.Name)
		}
		taken[s.Name] = true
		f.oneOf(at, "type", s.Type, SourceTypes()...)
		if f.present(at, "address", s.Address) {
			f.address(at, "address", s.Address)
		}
		f.present(at, "user", s.User)
		f.required(at, "password", s.Password, "")
		for _, pattern := range s.Phones {
			if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
				f.report(at, "phones", "phones %q is no pattern such as \"PJSIP/2[0-9][0-9]\"", pattern)
			}
		}
		if s.RecordingsFrom != "" && !filepath.IsAbs(s.RecordingsFrom) {
			f.report(at, "recordings_from", "recordings_from %q is not an absolute path", s.RecordingsFrom)
		}
		f.tls(at, "tls", s.TLS)
		if s.Type == SourceFreeSWITCH {
			c.checkEventSocket(at, s)
		}
	}
}

// checkEventSocket reports what the event socket of FreeSWITCH does not have.
func (c bindingChecks) checkEventSocket(at place, s Source) {
	f := c.rules
	if s.TLS != nil {
		f.report(at, "tls", "tls is not allowed with type %q (its event socket has none: lead it through a tunnel)", s.Type)
	}
	if f.given(at, "user") {
		f.warn(at, "user", "user has no effect with type %q", s.Type)
	}
}
