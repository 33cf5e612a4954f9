package ami

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Header is one line of a message.
type Header struct {
	Name, Value string
}

// Message is one event or response, its lines in the order received. Names
// may repeat.
type Message []Header

// Get returns the first value of a name, whatever its case: Asterisk writes
// both Uniqueid and UniqueID. It is empty when the message has none, and when
// Asterisk says that it knows none.
func (m Message) Get(name string) string {
	for _, h := range m {
		if len(h.Name) == len(name) && strings.EqualFold(h.Name, name) {
			if h.Value == "<unknown>" {
				return ""
			}
			return h.Value
		}
	}
	return ""
}

// Event is the event's name, empty for a response.
func (m Message) Event() string { return m.Get("Event") }

// Stamp is the moment Asterisk gives in Timestamp, to the microsecond. It is
// the zero time when there is none: timestampevents is off in manager.conf.
func (m Message) Stamp() time.Time {
	seconds, err := strconv.ParseFloat(m.Get("Timestamp"), 64)
	if err != nil || !(seconds > 0 && seconds < 1<<32) { // in which a microsecond still counts
		return time.Time{}
	}
	return time.UnixMicro(int64(math.Round(seconds * 1e6))).UTC()
}
