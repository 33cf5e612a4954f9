package call

import (
	"strconv"
	"time"
)

// DefaultMaxEvent is the size of one event as it comes, in bytes, where
// [Options] says nothing.
const DefaultMaxEvent = 256 << 10

// maxSplit bounds one event after splitting, in bytes: the call's members are
// repeated in every segment.
const maxSplit = 4 << 20

// Options say how [Decode] reads an event.
type Options struct {
	MaxEvent      int64          // in bytes; 0: DefaultMaxEvent
	Zone          *time.Location // in which times without a zone are read; nil: UTC
	RecordingsDir string         // absolute; a recording's absolute path must be below it
	Internal      bool           // the relay raises the event itself: reserved names are allowed
}

// Decode reads one JSON object and returns one event per segment, or the one
// event when it has none. Either all are returned or an error, which is an
// [*Error].
func Decode(data []byte, o Options) ([]Event, error) {
	if limit := o.maxEvent(); int64(len(data)) > limit {
		return nil, tooLarge("%d bytes: at most %d an event", len(data), limit)
	}
	outer, err := readEvent(data)
	if err != nil {
		return nil, err
	}
	if err := check(outer.members, o, ""); err != nil {
		return nil, err
	}
	if len(outer.segments) > 0 {
		return split(outer, o)
	}
	id, err := eventID(outer.members)
	if err != nil {
		return nil, err
	}
	return []Event{finish(outer.members, id, o)}, nil
}

func (o Options) maxEvent() int64 {
	if o.MaxEvent > 0 {
		return o.MaxEvent
	}
	return DefaultMaxEvent
}

// split makes an event of each segment.
func split(outer object, o Options) ([]Event, error) {
	given := givenID(outer.members)
	byName := make(map[string]int, len(outer.members))
	for i, m := range outer.members {
		byName[m.name] = i
	}
	events := make([]Event, 0, len(outer.segments))
	seen := make(map[string]int, len(outer.segments))
	size := 0
	for i, segment := range outer.segments {
		members := lay(segment, outer.members, byName)
		if err := check(members, o, place(i, "")+"."); err != nil {
			return nil, err
		}
		id, err := segmentID(members, given, strconv.Itoa(i+1))
		if err != nil {
			return nil, err
		}
		if j, twice := seen[id]; twice {
			return nil, refuse(place(i, ""), "the same id as segment %d: %s", j+1, id)
		}
		seen[id] = i
		e := finish(members, id, o)
		if size += len(e.Body); size > maxSplit {
			return nil, tooLarge("more than %d bytes after splitting into segments", maxSplit)
		}
		events = append(events, e)
	}
	return events, nil
}

// lay puts a segment's members over the call's: where a name is in both, the
// segment's value stands in the call's place.
func lay(segment, outer []member, byName map[string]int) []member {
	members := make([]member, len(outer), len(outer)+len(segment)+1)
	copy(members, outer)
	for _, m := range segment {
		if i, ok := byName[m.name]; ok {
			members[i] = m
			continue
		}
		members = append(members, m)
	}
	return members
}

// finish gives checked members their last form and makes the event of them.
func finish(members []member, id string, o Options) Event {
	members = identify(members, id)
	e := Event{ID: id}
	for i := range members {
		settle(&members[i], o)
		e.note(members[i])
	}
	e.members = members
	e.Body = appendObject(make([]byte, 0, sizeOf(members)), members)
	return e
}

// identify sets the member id, in its place or else as the first.
func identify(members []member, id string) []member {
	m := member{name: "id", raw: quote(id)}
	for i := range members {
		if members[i].name == "id" {
			members[i] = m
			return members
		}
	}
	members = append(members, member{})
	copy(members[1:], members)
	members[0] = m
	return members
}

// settle writes out what depends on this relay's configuration, so that what
// was accepted means the same after a reload.
func settle(m *member, o Options) {
	switch m.name {
	case "recording", "agent_perspective_recording":
		if text := m.value().Text; text != "" {
			rel, _ := relative(text, o.RecordingsDir)
			m.raw = quote(rel)
		}
	case "call_start", "call_end", "enqueue_time", "dequeue_time",
		"segment_start", "segment_end", "sess_start", "sess_end":
		m.raw = zoned(m.raw, o.Zone)
	}
}
