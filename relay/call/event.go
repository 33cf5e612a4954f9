package call

import (
	"slices"
	"strings"

	"callrelay/render"
)

// Event is one segment's event, or a whole call's where it has no segments. It
// must not be changed; reading it is safe for concurrent use.
type Event struct {
	ID        string
	Name      string
	ScopeKind string // one of [ScopeKinds]; empty: none
	Scope     string // the queue's, campaign's … name
	Call      string // uii
	Segment   string // segment_id
	Claim     string // the id that it came with, =, and a hash of what it says; empty: it had none, or is the relay's own
	Body      []byte // the event as compact JSON: "id" is the final id, there are no "segments"

	members []member
}

// Parse reads back an event that [Decode] has accepted. The event's id is id,
// or the one in the body when id is empty. The error is an [*Error].
func Parse(body []byte, id string) (*Event, error) {
	o, err := readEvent(body)
	if err != nil {
		return nil, err
	}
	e := &Event{ID: id, Body: body, members: o.members}
	for _, m := range e.members {
		e.note(m)
	}
	return e, nil
}

// note keeps a member that has a field of its own.
func (e *Event) note(m member) {
	switch m.name {
	case "event":
		e.Name, _ = m.text()
	case "id":
		if e.ID == "" {
			e.ID, _ = m.text()
		}
	case "uii":
		e.Call, _ = m.text()
	case "segment_id":
		e.Segment, _ = m.text()
	default:
		if m.raw != "null" && slices.Contains(scopes, m.name) {
			e.ScopeKind = m.name
			e.Scope, _ = m.text()
		}
	}
}

// Lookup returns what a tag stands for: a built-in one, a member of the event,
// a member of a nested object by its path (a.b), or a value derived from other
// members. It knows nothing of attempts and recordings.
func (e *Event) Lookup(tag string) render.Value {
	switch {
	case tag == "event_id", tag == "id":
		return render.Value{Kind: render.String, Text: e.ID}
	case tag == "scope" && e.ScopeKind != "":
		return render.Value{Kind: render.String, Text: e.Scope}
	}
	if m, ok := find(e.members, tag); ok {
		return m.value()
	}
	if v := nested(e.members, tag); v.Kind != render.Absent {
		return v
	}
	return e.derived(tag)
}

// Script returns the members of the event's object "script" in their order.
func (e *Event) Script() []Member {
	m, ok := find(e.members, "script")
	if !ok {
		return nil
	}
	members := readMembers(m.raw)
	list := make([]Member, len(members))
	for i, m := range members {
		list[i] = Member{Name: m.name, Value: m.value()}
	}
	return list
}

// Recording returns the path of the segment's recording below the recordings
// folder. It is present and empty when the event says that there is none.
func (e *Event) Recording() (path string, present bool) {
	return e.path("recording")
}

// AgentRecording returns the path of the dual-channel recording, as [Event.Recording] does.
func (e *Event) AgentRecording() (path string, present bool) {
	return e.path("agent_perspective_recording")
}

// RecordingURL returns the link that an event without a recording brought along.
func (e *Event) RecordingURL() string {
	return e.Lookup("recording_url").Text
}

// AgentRecordingURL returns the link to a dual-channel recording elsewhere.
func (e *Event) AgentRecordingURL() string {
	return e.Lookup("sess_agent_perspective_recording_url").Text
}

// Slice returns the part of the recording that is this segment's, in seconds
// from its beginning. Below 0 means that the event does not say.
func (e *Event) Slice() (start, end float64) {
	return e.seconds("recording_start"), e.seconds("recording_end")
}

func (e *Event) path(name string) (string, bool) {
	m, ok := find(e.members, name)
	if !ok || m.raw == "null" {
		return "", false
	}
	path, _ := m.text()
	return path, true
}

func (e *Event) seconds(name string) float64 {
	m, ok := find(e.members, name)
	if !ok {
		return -1
	}
	s, ok := seconds(m)
	if !ok {
		return -1
	}
	return s
}

// find returns the member with a name.
func find(members []member, name string) (member, bool) {
	for i := range members {
		if members[i].name == name {
			return members[i], true
		}
	}
	return member{}, false
}

// nested follows a dotted path into objects.
func nested(members []member, path string) render.Value {
	for {
		name, rest, ok := strings.Cut(path, ".")
		if !ok {
			return render.Value{}
		}
		m, ok := find(members, name)
		if !ok || m.raw[0] != '{' {
			return render.Value{}
		}
		members, path = readMembers(m.raw), rest
		if m, ok := find(members, path); ok {
			return m.value()
		}
	}
}
