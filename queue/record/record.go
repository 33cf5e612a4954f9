package record

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Record is one delivery owed: one event for one service.
type Record struct {
	Service string `json:"service"`        // [A-Za-z0-9_-]
	Event   string `json:"event"`          // the event's name, [a-z0-9_]
	ID      string `json:"id"`             // the event's id, which never changes
	Call    string `json:"call,omitempty"` // the call the event belongs to; may be empty
	Segment string `json:"segment,omitempty"`
	Scope   string `json:"scope,omitempty"` // for example "queue support"
	Claim   string `json:"-"`               // the id that the producer gave, =, and a hash of what it stands for; empty: the record is known by its ID alone
	Body    []byte `json:"-"`
}

// Headers of the stored records.
const (
	headID       = "Relay-Id"
	headCall     = "Relay-Call"
	headSegment  = "Relay-Segment"
	headScope    = "Relay-Scope"
	HeadClaim    = "Relay-Claim"
	HeadReplayed = "Relay-Replayed" // set on a dead letter put back
	HeadMsgID    = nats.MsgIdHdr    // what duplicates are recognised by
	HeadKey      = "Relay-Key"      // the same, of a record that JetStream took for a copy, wrongly

	// Those of RETRY and DEAD.
	HeadEvent    = "Relay-Event"
	HeadAccepted = "Relay-Accepted" // when the event was accepted, in Unix nanoseconds
	HeadAttempts = "Relay-Attempts"
	HeadStatus   = "Relay-Status"
	HeadReason   = "Relay-Reason"
	HeadError    = "Relay-Error"
	HeadBuried   = "Relay-Buried" // when it was given up, in Unix nanoseconds: a hub's copy has a later time
	HeadDue      = "Relay-Due"    // Unix milliseconds
	HeadHeld     = "Relay-Held"   // waits because of the endpoint
	HeadOrigin   = "Relay-Origin" // the sequence it had in EVENTS
	HeadKeeper   = "Relay-Keeper" // the keeper of a cluster's retries that parked it
)

// Note is what is stored beside a record: further headers, in pairs.
type Note []string

// With returns the note with a header more, unless that is empty.
func (n Note) With(key, value string) Note {
	if value == "" {
		return n
	}
	return append(n, key, value)
}

func (n Note) value(key string) string {
	for i := 0; i < len(n); i += 2 {
		if n[i] == key {
			return n[i+1]
		}
	}
	return ""
}

// WithInt does so for a number; 0 is empty.
func (n Note) WithInt(key string, value int64) Note {
	if value == 0 {
		return n
	}
	return append(n, key, strconv.FormatInt(value, 10))
}

// WithFlag does so for what is either so or not.
func (n Note) WithFlag(key string, set bool) Note {
	if !set {
		return n
	}
	return append(n, key, "1")
}

// SizeOf estimates what a record takes on disk.
func SizeOf(r *Record) int64 {
	return int64(len(r.Body) + len(r.Service)*2 + len(r.Event) + len(r.ID)*2 + len(r.Call) + len(r.Segment) + len(r.Scope) + len(r.Claim) + 200)
}

// shortSeed keys the hashes of this process.
var shortSeed = maphash.MakeSeed()

// Hash is by what a record is known again in memory.
func Hash(r *Record) uint64 {
	var h maphash.Hash
	h.SetSeed(shortSeed)
	_, _ = h.WriteString(r.Service)
	_ = h.WriteByte('@')
	_, _ = h.WriteString(r.ID)
	return h.Sum64()
}

// Key is what a record is known by: the id of its event at its service.
func (r *Record) Key() string { return r.ID + "@" + r.Service }

// Subject is where a record lies in a stream.
func Subject(stream string, r *Record, n Note) string {
	switch stream {
	case Retry:
		return "retry." + r.Service
	case Dead:
		return "dead." + r.Service + "." + n.value(HeadReason)
	}
	return "events." + r.Service + "." + r.Event
}

// SetHeaders writes what is stored beside the body into h, whose other
// members stay.
func (r *Record) SetHeaders(h nats.Header) {
	SetHeader(h, headID, r.ID)
	SetHeader(h, headCall, r.Call)
	SetHeader(h, headSegment, r.Segment)
	SetHeader(h, headScope, r.Scope)
	SetHeader(h, HeadClaim, r.Claim)
}

// SetHeader gives a header one value without allocating for a key that was there
// before.
func SetHeader(h nats.Header, key, value string) {
	if value == "" {
		delete(h, key)
		return
	}
	if v := h[key]; len(v) == 1 {
		v[0] = value
		return
	}
	h[key] = []string{value}
}

// Read is the reverse of setHeaders. The service is the second token of
// every subject.
func Read(m *nats.Msg) Record {
	_, rest, _ := strings.Cut(m.Subject, ".")
	service, event, _ := strings.Cut(rest, ".")
	h := m.Header
	return Record{
		Service: service, Event: event, ID: h.Get(headID), Call: h.Get(headCall),
		Segment: h.Get(headSegment), Scope: h.Get(headScope), Claim: h.Get(HeadClaim), Body: m.Data,
	}
}

// IDOf is what a record is known by.
func IDOf(h nats.Header) string {
	if id := h.Get(HeadKey); id != "" {
		return id
	}
	return h.Get(HeadMsgID)
}

// HeadInt reads a number; 0: there is none.
func HeadInt(h nats.Header, key string) int64 {
	n, _ := strconv.ParseInt(h.Get(key), 10, 64)
	return n
}

// HeadTime reads a time that is kept in Unix nanoseconds; zero: there is none.
func HeadTime(h nats.Header, key string) time.Time {
	if n := HeadInt(h, key); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}
