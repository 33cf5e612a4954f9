package asterisk

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	callevent "callrelay/relay/call"
	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// userEvent turns UserEvent(name,key: value,...) into an event of that name
// with those members, beside what is known of the call and the segment.
func (m *machine) userEvent(ev ami.Message, at time.Time) {
	name := tagName(ev.Get("UserEvent"))
	if name == "" || callevent.Operational(name) {
		m.Miss("user event %.80q is no event name of a dialplan", ev.Get("UserEvent"))
		return
	}
	c := &source.Call{ID: ev.Get("Linkedid"), Wanted: true}
	l := m.known(ev, "", at)
	if l != nil {
		c = &m.callFor(l).Call
	}
	own, r := m.members(ev), m.About(c, at)
	switch {
	case l == nil:
	case l.Segment == nil:
		r.Queue = l.call.Queue
	default:
		r.Of(&l.Segment.Segment)
	}
	r.Queue = cmp.Or(own["queue"], r.Queue)
	if !m.Wants(r.Queue, c) {
		return
	}
	r.Event, r.ID = name, m.ID(ev.Get("Linkedid"), ev.Get("Uniqueid"), name, source.Micros(at))
	m.Raise(r.ID, name, at, merge(r, own))
}

// members are what the dialplan added: all that stands behind the event's
// name. Of a name that repeats, the first counts.
func (m *machine) members(ev ami.Message) map[string]string {
	i := slices.IndexFunc(ev, func(h ami.Header) bool { return strings.EqualFold(h.Name, "UserEvent") })
	own := map[string]string{}
	for _, h := range ev[i+1:] {
		name := tagName(h.Name)
		if _, given := own[name]; given || name == "" || name == "actionid" || reserved(name) {
			continue
		}
		own[name] = h.Value
		if name == "recording" || name == "agent_perspective_recording" {
			own[name] = source.Below(m.folder, h.Value)
		}
	}
	return own
}

// merge lays the dialplan's members over the record. Of several scopes one
// stays: any that the dialplan gave goes before a queue.
func merge(r source.Record, own map[string]string) map[string]any {
	all := map[string]any{}
	body, _ := json.Marshal(r) // a struct of strings and numbers
	_ = json.Unmarshal(body, &all)
	for name, value := range own {
		all[name] = value
	}
	isQueue := func(kind string) bool { return kind == "queue" }
	scoped := false
	for _, kind := range append(slices.DeleteFunc(callevent.ScopeKinds(), isQueue), "queue") {
		if scoped {
			delete(all, kind)
		}
		scoped = scoped || all[kind] != nil && all[kind] != ""
	}
	return all
}

// reserved are the members that identify the event, and those that only the
// relay gives: a dialplan cannot set them.
func reserved(name string) bool {
	switch name {
	case "id", "event", "source", "uii", "segment_id", "segments":
		return true
	}
	t, _ := callevent.Find(name)
	return t.Reserved || strings.HasPrefix(name, "recording_") || strings.HasPrefix(name, "relay_")
}

// foreign is what no name of the relay's form has.
var foreign = regexp.MustCompile(`[^a-z0-9_]`)

// tagName makes a name of the relay's form, 1 to 64 of a-z, 0-9 and _; empty
// when nothing is left of it.
func tagName(name string) string {
	clean := foreign.ReplaceAllString(strings.ToLower(name), "_")
	if strings.Trim(clean, "_") == "" {
		return ""
	}
	return clean[:min(len(clean), 64)]
}
