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
	whole, refused := check(outer.members, o, "")
	if refused != nil {
		return nil, refused
	}
	if len(outer.segments) > 0 {
		return split(outer, whole.given, o)
	}
	whole.event.Claim = o.claim(whole.given, outer)
	return []Event{whole.finish(whole.eventID())}, nil
}

func (o Options) maxEvent() int64 {
	if o.MaxEvent > 0 {
		return o.MaxEvent
	}
	return DefaultMaxEvent
}

// split makes an event of each segment of an event that came with the id
// given, if any.
func split(outer object, given string, o Options) ([]Event, error) {
	byName := make(map[string]int, len(outer.members))
	for i, m := range outer.members {
		byName[m.name] = i
	}
	events := make([]Event, 0, len(outer.segments))
	seen := make(map[string]int, len(outer.segments))
	claim, size := o.claim(given, outer), 0
	for i, segment := range outer.segments {
		c, refused := check(merge(segment, outer.members, byName), o, place(i, "")+".")
		if refused != nil {
			return nil, refused
		}
		id := c.segmentID(given, strconv.Itoa(i+1))
		if j, twice := seen[id]; twice {
			return nil, refuse(place(i, ""), "the same id as segment %d: %s", j+1, id)
		}
		seen[id] = i
		if c.event.Claim = claim; c.given != given {
			c.event.Claim = o.claim(c.given, object{members: c.event.members})
		}
		e := c.finish(id)
		if size += len(e.Body); size > maxSplit {
			return nil, tooLarge("more than %d bytes after splitting into segments", maxSplit)
		}
		events = append(events, e)
	}
	return events, nil
}

// merge puts a segment's members over the call's: where a name is in both, the
// segment's value stands in the call's place.
func merge(segment, outer []member, byName map[string]int) []member {
	members := make([]member, len(outer), len(outer)+len(segment))
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

// finish gives the event its id and writes its body. What depends on this
// relay's configuration is written out, so that it means the same after a
// reload; the id does not depend on it.
func (c *checked) finish(id string) Event {
	e := c.event
	e.ID = id
	for _, edit := range c.edits {
		e.members[edit.at].raw = edit.raw
	}
	e.Body = appendBody(make([]byte, 0, sizeOf(e.members)+len(`"id":"",`)+len(id)), e.members, id)
	return e
}
