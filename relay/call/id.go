package call

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// hashLen is the length of the hash that stands in an id, in hexadecimal digits.
const hashLen = 16

// givenID returns the id that the event came with; empty counts as none.
func givenID(members []member) string {
	m, ok := find(members, "id")
	if !ok {
		return ""
	}
	id, _ := m.text()
	return id
}

// eventID returns the id of an event: the one it came with, or one made from
// what it says, or else a new one.
func eventID(members []member) (string, error) {
	if id := givenID(members); id != "" {
		return id, nil
	}
	var e Event
	for _, m := range members {
		e.note(m)
	}
	if e.Call != "" {
		return joinID(e.Call, e.Name, e.Segment, contentHash(members)), nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

// segmentID returns the id of segment n of an event that came with the id
// given, if any. A segment's own id is taken as it is.
func segmentID(members []member, given, n string) (string, error) {
	if given == "" || givenID(members) != given {
		return eventID(members)
	}
	if m, ok := find(members, "segment_id"); ok {
		if text, _ := m.text(); text != "" {
			n = text
		}
	}
	return joinID(given, n), nil
}

// joinID joins the parts of an id. Parts that make it longer than [MaxID] are
// replaced by their hash, the longest first, and so are those with control
// characters.
func joinID(parts ...string) string {
	size, longest := len(parts)-1, 0
	for i, part := range parts {
		if hasControl(part) {
			parts[i] = hash([]byte(part))
		}
		size += len(parts[i])
		if len(parts[i]) > len(parts[longest]) {
			longest = i
		}
	}
	if size > MaxID {
		parts[longest] = hash([]byte(parts[longest]))
		return joinID(parts...)
	}
	return strings.Join(parts, "/")
}

// contentHash is the hash of the event's canonical JSON without its id.
func contentHash(members []member) string {
	return hash(appendCanonicalObject(nil, members, "id"))
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:hashLen/2])
}
