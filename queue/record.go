package queue

import (
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Record is one delivery owed: one event for one service.
type Record struct {
	Service string // [A-Za-z0-9_-]
	Event   string // the event's name, [a-z0-9_]
	ID      string // the event's id, which never changes
	Call    string // the call the event belongs to; may be empty
	Segment string
	Scope   string // for example "queue support"
	Claim   string // the id that the producer gave, =, and a hash of what it stands for; empty: the record is known by its ID alone
	Body    []byte
}

// Headers of the stored records.
const (
	headID       = "Relay-Id"
	headCall     = "Relay-Call"
	headSegment  = "Relay-Segment"
	headScope    = "Relay-Scope"
	headClaim    = "Relay-Claim"
	headReplayed = "Relay-Replayed" // set on a dead letter put back
	headMsgID    = nats.MsgIdHdr    // what duplicates are recognised by
	headKey      = "Relay-Key"      // the same, of a record that JetStream took for a copy, wrongly

	// Those of RETRY and DEAD.
	headEvent    = "Relay-Event"
	headAccepted = "Relay-Accepted" // when the event was accepted, in Unix nanoseconds
	headAttempts = "Relay-Attempts"
	headStatus   = "Relay-Status"
	headReason   = "Relay-Reason"
	headError    = "Relay-Error"
	headBuried   = "Relay-Buried" // when it was given up, in Unix nanoseconds: a hub's copy has a later time
	headDue      = "Relay-Due"    // Unix milliseconds
	headHeld     = "Relay-Held"   // waits because of the endpoint
	headOrigin   = "Relay-Origin" // the sequence it had in EVENTS
	headKeeper   = "Relay-Keeper" // the keeper of a cluster's retries that parked it
)

// note is what is stored beside a record: further headers, in pairs.
type note []string

func (n note) with(key, value string) note {
	if value == "" {
		return n
	}
	return append(n, key, value)
}

func (n note) value(key string) string {
	for i := 0; i < len(n); i += 2 {
		if n[i] == key {
			return n[i+1]
		}
	}
	return ""
}

func (n note) withInt(key string, value int64) note {
	if value == 0 {
		return n
	}
	return append(n, key, strconv.FormatInt(value, 10))
}

// sizeOf estimates what a record takes on disk.
func sizeOf(r *Record) int64 {
	return int64(len(r.Body) + len(r.Service)*2 + len(r.Event) + len(r.ID)*2 + len(r.Call) + len(r.Segment) + len(r.Scope) + len(r.Claim) + 200)
}

// shortSeed keys the hashes of this process.
var shortSeed = maphash.MakeSeed()

// shortHash is by what a record is known again in memory.
func shortHash(r *Record) uint64 {
	var h maphash.Hash
	h.SetSeed(shortSeed)
	_, _ = h.WriteString(r.Service)
	_ = h.WriteByte('@')
	_, _ = h.WriteString(r.ID)
	return h.Sum64()
}

// key is what a record is known by: the id of its event at its service.
func (r *Record) key() string { return r.ID + "@" + r.Service }

// subject is where a record lies in a stream.
func subject(stream string, r *Record, n note) string {
	switch stream {
	case retry:
		return "retry." + r.Service
	case dead:
		return "dead." + r.Service + "." + n.value(headReason)
	}
	return "events." + r.Service + "." + r.Event
}

// setHeaders writes what is stored beside the body into h, whose other
// members stay.
func (r *Record) setHeaders(h nats.Header) {
	set(h, headID, r.ID)
	set(h, headCall, r.Call)
	set(h, headSegment, r.Segment)
	set(h, headScope, r.Scope)
	set(h, headClaim, r.Claim)
}

// set gives a header one value without allocating for a key that was there
// before.
func set(h nats.Header, key, value string) {
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

// readRecord is the reverse of setHeaders. The service is the second token of
// every subject.
func readRecord(m *nats.Msg) Record {
	_, rest, _ := strings.Cut(m.Subject, ".")
	service, event, _ := strings.Cut(rest, ".")
	h := m.Header
	return Record{
		Service: service, Event: event, ID: h.Get(headID), Call: h.Get(headCall),
		Segment: h.Get(headSegment), Scope: h.Get(headScope), Claim: h.Get(headClaim), Body: m.Data,
	}
}

// idOf is what a record is known by.
func idOf(h nats.Header) string {
	if id := h.Get(headKey); id != "" {
		return id
	}
	return h.Get(headMsgID)
}

func headInt(h nats.Header, key string) int64 {
	n, _ := strconv.ParseInt(h.Get(key), 10, 64)
	return n
}

func headTime(h nats.Header, key string) time.Time {
	if n := headInt(h, key); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// place is what JetStream says of a record it delivers.
type place struct {
	seq     uint64
	nth     uint64    // how many the consumer has delivered with it
	at      time.Time // when it was stored
	pending int       // how many more the consumer has
}

// parsePlace reads the reply subject of a delivered record:
// $JS.ACK[.domain.account].stream.consumer.delivered.seq.cseq.time.pending[.random].
func parsePlace(reply string) (place, bool) {
	var tokens [12]string
	n := 0
	for rest, more := reply, true; more && n < len(tokens); n++ {
		tokens[n], rest, more = strings.Cut(rest, ".")
	}
	first := 2
	switch {
	case n == 9:
	case n >= 11:
		first = 4
	default:
		return place{}, false
	}
	seq, err1 := strconv.ParseUint(tokens[first+3], 10, 64)
	nth, err2 := strconv.ParseUint(tokens[first+4], 10, 64)
	at, err3 := strconv.ParseInt(tokens[first+5], 10, 64)
	pending, err4 := strconv.Atoi(tokens[first+6])
	return place{seq, nth, time.Unix(0, at), pending}, err1 == nil && err2 == nil && err3 == nil && err4 == nil
}
