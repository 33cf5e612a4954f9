package call

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// hashLen is the length of a hash that stands in an id, in hexadecimal digits.
const hashLen = 16

// eventID returns the id that the event came with, or one made from what it
// says so that it is the same when the event is sent again. An event without a
// call gets a new one.
func (c *checked) eventID() string {
	switch {
	case c.given != "":
		return c.given
	case c.event.Call != "":
		return joinID(c.event.Call, c.event.Name, c.event.Segment, contentHash(c.event.members))
	default:
		return uuid.Must(uuid.NewV7()).String() // fails only where the kernel has no randomness
	}
}

// segmentID returns the id of a segment whose call came with the id given, if
// any. The segment's own id is taken as it is. N stands in for a missing
// segment_id.
func (c *checked) segmentID(given, n string) string {
	switch {
	case given == "" || c.given != given:
		return c.eventID()
	case c.event.Segment != "":
		return joinID(given, c.event.Segment)
	default:
		return joinID(given, n)
	}
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

// claim says what an id that an event came with stands for: the whole event, all
// segments included. The relay's own events are known by their id alone: what is
// seen twice may differ in a detail.
func (o Options) claim(given string, e object) string {
	if given == "" || o.Internal {
		return ""
	}
	content := appendCanonicalObject(nil, e.members, "id")
	for _, segment := range e.segments {
		content = appendCanonicalObject(content, segment, "")
	}
	return given + "=" + hash(content)
}

// contentHash is the hash of the event's canonical JSON without its id.
func contentHash(members []member) string {
	return hash(appendCanonicalObject(make([]byte, 0, sizeOf(members)), members, "id"))
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:hashLen/2])
}
