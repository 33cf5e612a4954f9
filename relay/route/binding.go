package route

import (
	"slices"

	"callrelay/config"
	"callrelay/relay/call"
	"callrelay/render"
)

// event is what the bindings say of one event name.
type event struct {
	scoped map[scope]*owed // at the scopes that a binding names
	other  *owed           // everywhere else
}

// scope is what an event happened at.
type scope struct{ kind, name string }

// owed is the services owed at one scope.
type owed struct {
	always []*Service  // whatever the event says
	when   []*tagIndex // where the event says so
}

// tagIndex finds the rules that depend on one tag by the tag's value, so
// that a service per disposition costs one look-up and not one per service.
type tagIndex struct {
	tag   string
	rules map[string][]rule
}

// rule is a binding whose first condition is met.
type rule struct {
	rest     []config.Where
	services []*Service
}

// bind indexes the bindings by event and scope.
func bind(bindings []config.Binding, byName map[string]*Service) map[string]*event {
	index := map[string]*event{}
	for _, b := range bindings {
		for _, name := range b.Events {
			ev := index[name]
			if ev == nil {
				ev = &event{scoped: map[scope]*owed{}, other: &owed{}}
				index[name] = ev
			}
			for _, at := range b.Scopes {
				ev.scoped[scope{b.ScopeKind, at}] = &owed{}
			}
		}
	}
	for _, b := range bindings {
		services := active(b.Services, byName)
		for _, name := range b.Events {
			index[name].add(b, services)
		}
	}
	for _, ev := range index {
		ev.other.always = ordered(ev.other.always)
		for _, d := range ev.scoped {
			d.always = ordered(d.always)
		}
	}
	return index
}

// active returns the services that may be owed something.
func active(names []string, byName map[string]*Service) []*Service {
	var list []*Service
	for _, name := range names {
		if s := byName[name]; s != nil && s.Active {
			list = append(list, s)
		}
	}
	return list
}

// add adds a binding wherever it holds. All scopes are known by then.
func (ev *event) add(b config.Binding, services []*Service) {
	if b.ScopeKind == "" {
		ev.other.add(b.Where, services)
		for _, d := range ev.scoped {
			d.add(b.Where, services)
		}
		return
	}
	for _, at := range slices.Compact(slices.Sorted(slices.Values(b.Scopes))) {
		ev.scoped[scope{b.ScopeKind, at}].add(b.Where, services)
	}
}

// owed returns the services owed one event. A nil event owes nothing.
func (ev *event) owed(e *call.Event) []*Service {
	if ev == nil {
		return nil
	}
	d, ok := ev.scoped[scope{e.ScopeKind, e.Scope}]
	if !ok {
		d = ev.other
	}
	return d.services(e)
}

func (d *owed) add(where []config.Where, services []*Service) {
	if len(where) == 0 {
		d.always = append(d.always, services...)
		return
	}
	first := where[0]
	i := slices.IndexFunc(d.when, func(by *tagIndex) bool { return by.tag == first.Tag })
	if i < 0 {
		i = len(d.when)
		d.when = append(d.when, &tagIndex{tag: first.Tag, rules: map[string][]rule{}})
	}
	for _, value := range slices.Compact(slices.Sorted(slices.Values(first.Values))) {
		rules := d.when[i].rules
		rules[value] = append(rules[value], rule{rest: where[1:], services: services})
	}
}

func (d *owed) services(e *call.Event) []*Service {
	var more []*Service
	for _, by := range d.when {
		v := e.Lookup(by.tag)
		if v.Kind == render.Absent {
			continue
		}
		for _, r := range by.rules[v.Text] {
			if r.met(e) {
				more = append(more, r.services...)
			}
		}
	}
	if len(more) == 0 {
		return d.always
	}
	return ordered(append(more, d.always...))
}

// met reports whether the event meets the other conditions too.
func (r rule) met(e *call.Event) bool {
	for _, w := range r.rest {
		if v := e.Lookup(w.Tag); v.Kind == render.Absent || !slices.Contains(w.Values, v.Text) {
			return false
		}
	}
	return true
}

// ordered sorts services by their place in the file and drops doubles. It works
// in place.
func ordered(list []*Service) []*Service {
	slices.SortFunc(list, func(a, b *Service) int { return a.Index - b.Index })
	return slices.Compact(list)
}
