package freeswitch

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxID    = 128 // bytes of an id
	timeForm = "2006-01-02T15:04:05.000000Z07:00"
)

// The reasons a segment ends for, and the results of a call.
const (
	reasonAgent    = "agent"
	reasonCaller   = "caller"
	reasonTransfer = "transfer"

	resultConnected = "Connected"
	resultAbandoned = "Abandoned"
	resultDeflected = "Deflected"
	resultMissed    = "Missed"
	resultBusy      = "Busy"
	resultFailed    = "Failed"
	resultUnknown   = "Unknown" // its end was not heard

	inbound  = "inbound"
	outbound = "outbound"
	internal = "internal"
)

// record is a call event as the relay takes it. What is not known is left out.
type record struct {
	ID             string      `json:"id"`
	Event          string      `json:"event"`
	Source         string      `json:"source"`
	Queue          string      `json:"queue,omitempty"`
	UII            string      `json:"uii"`
	SegmentID      string      `json:"segment_id,omitempty"`
	Direction      string      `json:"direction,omitempty"`
	AgentID        string      `json:"agent_id,omitempty"`
	AgentDevice    string      `json:"agent_device,omitempty"`
	AgentUsername  string      `json:"agent_username,omitempty"`
	ANI            string      `json:"ani,omitempty"`
	DNIS           string      `json:"dnis,omitempty"`
	CallStart      string      `json:"call_start,omitempty"`
	EnqueueTime    string      `json:"enqueue_time,omitempty"`
	DequeueTime    string      `json:"dequeue_time,omitempty"`
	SegmentStart   string      `json:"segment_start,omitempty"`
	SegmentEnd     string      `json:"segment_end,omitempty"`
	AgentDuration  json.Number `json:"agent_duration,omitempty"`
	HoldDuration   json.Number `json:"hold_duration,omitempty"`
	Duration       json.Number `json:"duration,omitempty"`
	CallResult     string      `json:"call_result,omitempty"`
	QueueResult    string      `json:"queue_result,omitempty"`
	RingResult     string      `json:"ring_result,omitempty"`
	RingDuration   json.Number `json:"ring_duration,omitempty"`
	Rang           *[]string   `json:"rang,omitempty"`        // the phones; nil: not an event that says it
	TermReason     *string     `json:"term_reason,omitempty"` // empty: unknown
	Recording      string      `json:"recording,omitempty"`
	RecordingStart json.Number `json:"recording_start,omitempty"` // seconds into the file
	RecordingEnd   json.Number `json:"recording_end,omitempty"`
	Recordings     []string    `json:"recordings,omitempty"` // all, when there are several
}

// as names the event, and identifies it by its leg or call and by what tells
// it apart from others of the same name. The document and the events of a leg
// give the same id.
func (r record) as(name string, more ...string) record {
	r.Event = name
	parts := []string{r.Source, r.UII, r.SegmentID, name}
	if r.SegmentID == "" {
		parts = []string{r.Source, r.UII, name}
	}
	r.ID = strings.Join(append(parts, more...), "/")
	if len(r.ID) > maxID || strings.ContainsFunc(r.ID, unicode.IsControl) {
		r.ID = fmt.Sprintf("%.48s/%x", strings.Map(printable, r.Source), sha256.Sum224([]byte(r.ID)))
	}
	return r
}

func printable(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// visit identifies the event of the nth time that the caller is in a queue.
func (r record) visit(name string, n int) record { return r.as(name, strconv.Itoa(n)) }

// queueName is a queue without the domain that every queue has.
func queueName(name string) string { return strings.TrimSuffix(name, "@default") }

// queueResults are why the queue let a caller go unanswered, by what
// mod_callcenter calls it.
var queueResults = map[string]string{
	"BREAK_OUT": "hangup", "TIMEOUT": "timeout", "NO_AGENT_TIMEOUT": "no_agents", "EXIT_WITH_KEY": "key", "QUEUE_FULL": "full",
}

// leftQueue is what became of a caller whom no agent of a queue answered.
func leftQueue(result string) string {
	if result == "hangup" {
		return resultAbandoned
	}
	return resultDeflected
}

// unanswered is what became of a call without a queue that nobody answered, by
// the cause it was hung up for.
func unanswered(cause string) string {
	switch cause {
	case "USER_BUSY":
		return resultBusy
	case "", "NORMAL_CLEARING", "ORIGINATOR_CANCEL", "NO_ANSWER", "NO_USER_RESPONSE", "ALLOTTED_TIMEOUT",
		"USER_NOT_REGISTERED", "SUBSCRIBER_ABSENT", "CALL_REJECTED", "LOSE_RACE", "PICKED_OFF":
		return resultMissed
	}
	return resultFailed
}

// loopback reports whether a channel is plumbing between two others.
func loopback(channel string) bool { return strings.HasPrefix(channel, "loopback/") }

// sipProfile is the sofia profile of a channel: sofia/internal/... Phones
// register at another one than trunks use.
func sipProfile(channel string) string {
	kind, rest, _ := strings.Cut(channel, "/")
	name, _, found := strings.Cut(rest, "/")
	if kind != "sofia" || !found {
		return ""
	}
	return name
}

// userOf is the user of an address user@domain.
func userOf(address string) string {
	user, _, _ := strings.Cut(address, "@")
	return user
}

// below is the path of a file below a folder, both as FreeSWITCH names them;
// empty when it is elsewhere, or the folder is not known.
func below(folder, name string) string {
	rel, ok := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(path.Clean(folder), "/")+"/")
	if !ok || folder == "" {
		return ""
	}
	return rel
}

func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeForm)
}

// between is the time from a to b in seconds, to the millisecond.
func between(a, b time.Time) json.Number {
	if a.IsZero() || b.IsZero() {
		return ""
	}
	return inSeconds(max(b.Sub(a), 0))
}

func inSeconds(d time.Duration) json.Number {
	return json.Number(strconv.FormatFloat(float64(d.Round(time.Millisecond).Milliseconds())/1000, 'f', -1, 64))
}

// later is the later of two moments.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
