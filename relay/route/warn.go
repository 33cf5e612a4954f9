package route

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"callrelay/config"
	"callrelay/relay/call"
	"callrelay/render"
)

// look finds what is legal and yet hardly meant, in file order, and the tags of
// the operator's own.
func (t *Table) look() (warnings []config.Problem, own []string) {
	w := &warner{
		config: t.Config, bound: map[string]bool{}, operational: map[string]bool{}, own: map[string]bool{},
		known: namesOf(call.Vocabulary()), brought: namesOf(call.OperationalVocabulary()),
	}
	for i, b := range t.Config.Bindings {
		w.binding(config.Ref{Table: "binding", Index: i}, b)
	}
	for _, s := range t.services {
		w.service(config.Ref{Table: "service", Index: s.Index}, s)
	}
	config.Sort(w.found)
	return w.found, slices.Sorted(maps.Keys(w.own))
}

// unraised finds bindings to events with a name of the relay's that it never
// raises: nothing would ever match.
func unraised(c *config.Config) (found []config.Problem) {
	for i, b := range c.Bindings {
		for n, name := range b.Events {
			if !call.Operational(name) || slices.Contains(call.Raised(), name) {
				continue
			}
			key := "event"
			if len(b.Events) > 1 {
				key = fmt.Sprintf("event[%d]", n)
			}
			found = append(found, c.ProblemAt(config.Ref{Table: "binding", Index: i}, key,
				fmt.Sprintf("%q is not raised by the relay%s (allowed: %s)", name, nearest(name, call.Raised()), strings.Join(call.Raised(), ", "))))
		}
	}
	return found
}

// warner collects warnings.
type warner struct {
	config      *config.Config
	known       []string        // tags of the vocabulary
	brought     []string        // tags that operational events bring
	bound       map[string]bool // services that a binding names
	operational map[string]bool // services that get operational events
	own         map[string]bool // tags that only the operator's events can bring
	found       []config.Problem
}

func namesOf(tags []call.Tag) []string {
	list := make([]string, len(tags))
	for i, t := range tags {
		list[i] = t.Name
	}
	return list
}

func (w *warner) warn(ref config.Ref, key, format string, args ...any) {
	w.found = append(w.found, w.config.ProblemAt(ref, key, fmt.Sprintf(format, args...)))
}

func (w *warner) binding(ref config.Ref, b config.Binding) {
	operational := slices.ContainsFunc(b.Events, call.Operational)
	for _, name := range b.Services {
		w.bound[name] = true
		w.operational[name] = w.operational[name] || operational
	}
	for _, name := range b.Events {
		if known := call.KnownEvents(); !slices.Contains(known, name) {
			w.warn(ref, "event", "%q is not a known event%s", name, nearest(name, known))
		}
	}
	for _, where := range b.Where {
		if !operational || !slices.Contains(w.brought, where.Tag) {
			w.where(ref, b, where)
		}
	}
}

// where warns of a condition that is never met or looks mistyped.
func (w *warner) where(ref config.Ref, b config.Binding, where config.Where) {
	key := "where." + where.Tag
	switch {
	case slices.Contains(call.MadePerAttempt(), where.Tag):
		w.warn(ref, key, "never matches: bindings are settled when an event is accepted, #%s# is made for each attempt", where.Tag)
	case where.Tag == "event" && disjoint(where.Values, b.Events):
		w.warn(ref, key, "never matches: the binding is for %s", strings.Join(b.Events, ", "))
	case (where.Tag == b.ScopeKind || where.Tag == "scope") && b.ScopeKind != "" && disjoint(where.Values, b.Scopes):
		w.warn(ref, key, "never matches: the binding is for the %s %s", b.ScopeKind, strings.Join(b.Scopes, ", "))
	case where.Tag != b.ScopeKind && b.ScopeKind != "" && slices.Contains(call.ScopeKinds(), where.Tag):
		w.warn(ref, key, "never matches: an event of a %s has no %s", b.ScopeKind, where.Tag)
	default:
		w.tags(ref, []render.Tag{{Name: where.Tag, Key: key}}, nil)
	}
}

func (w *warner) service(ref config.Ref, s *Service) {
	if !w.bound[s.Name] {
		w.warn(ref, "name", "no binding names this service: it is sent nothing")
	}
	var brought []string
	if w.operational[s.Name] {
		brought = w.brought
	}
	w.tags(ref, s.Template.Tags(), brought)
	for _, p := range s.Template.Warnings() {
		w.warn(ref, p.Key, "%s", p.Text)
	}
	w.unclosed(ref, w.config.Services[s.Index])
	recordings := w.config.Recordings
	if s.UsesRecording && recordings == nil {
		key, _ := firstOf(s.Template, call.FileTags(call.Recording))
		w.warn(ref, key, "there is no [recordings]: links are empty and the state is none")
	}
	if s.UsesAgentRecording && (recordings == nil || !recordings.AgentPerspective) {
		key, tag := firstOf(s.Template, call.FileTags(call.AgentRecording))
		w.warn(ref, key, "#%s# is empty: recordings.agent_perspective is not on", tag)
	}
}

// tags warns of tags that are near one of the vocabulary, and keeps the others:
// they are members of the operator's own events. Those that are known to be
// brought are left out.
func (w *warner) tags(ref config.Ref, tags []render.Tag, brought []string) {
	warned := map[string]bool{}
	for _, tag := range tags {
		if w.isTag(tag.Name) || warned[tag.Name] || slices.Contains(brought, tag.Name) {
			continue
		}
		warned[tag.Name] = true
		if near := nearest(tag.Name, w.known); near != "" {
			w.warn(ref, tag.Key, "tag %q is not in the vocabulary%s; it is empty unless the events bring it", tag.Name, near)
		} else {
			w.own[tag.Name] = true
		}
	}
}

// foreignTag is a tag as other products write it, or with blanks in it.
var foreignTag = regexp.MustCompile(`\{\{ *(\w+) *\}\}|\$\{ *(\w+) *\}|# +(\w+) +#`)

// unclosed warns of what would be a tag if it had its second number sign, or were
// written as here.
func (w *warner) unclosed(ref config.Ref, s config.Service) {
	templates := []config.Field{{Name: "url", Value: s.URL}, {Name: s.Body, Value: s.BodyText()}}
	for _, part := range []struct {
		key    string
		fields []config.Field
	}{{"params", s.Params}, {"multipart", s.Multipart}, {"query", s.Query}, {"headers", s.Headers}} {
		for _, field := range part.fields {
			templates = append(templates, config.Field{Name: part.key + "." + field.Name, Value: field.Value})
		}
	}
	for _, template := range templates {
		for _, word := range render.Unclosed(template.Value) {
			if w.isTag(word) {
				w.warn(ref, template.Name, "#%s has no # at its end, so it is no tag", word)
			}
		}
		for _, found := range foreignTag.FindAllStringSubmatch(template.Value, -1) {
			if word := cmp.Or(found[1], found[2], found[3]); w.isTag(word) {
				w.warn(ref, template.Name, "%s is no tag, and is sent as it stands: #%s#", found[0], word)
			}
		}
	}
}

// isTag reports whether a tag, or the object that a path leads into, is in the
// vocabulary.
func (w *warner) isTag(tag string) bool {
	root, _, _ := strings.Cut(tag, ".")
	return slices.Contains(w.known, root)
}

// nearest is the hint at a known word, if one is near.
func nearest(word string, known []string) string {
	if near := config.Nearest(word, known); near != "" {
		return " (nearest: " + near + ")"
	}
	return ""
}

// firstOf returns the first of some tags that a template uses, and its key.
func firstOf(t *render.Template, names []string) (key, name string) {
	for _, tag := range t.Tags() {
		if slices.Contains(names, tag.Name) {
			return tag.Key, tag.Name
		}
	}
	return "", ""
}

func disjoint(a, b []string) bool {
	return !slices.ContainsFunc(a, func(word string) bool { return slices.Contains(b, word) })
}
