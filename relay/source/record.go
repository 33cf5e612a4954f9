package source

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"

	callevent "callrelay/relay/call"
)

// Directions of a call.
const (
	Inbound  = "inbound"
	Outbound = "outbound"
	Internal = "internal"
)

// Reasons why a segment ended.
const (
	ByAgent    = "agent"
	ByCaller   = "caller"
	ByTransfer = "transfer"
)

// What became of a call.
const (
	Connected = "Connected"
	Abandoned = "Abandoned"
	Deflected = "Deflected"
	Missed    = "Missed"
	Busy      = "Busy"
	Failed    = "Failed"
	Unknown   = "Unknown" // its end was not heard
)

// How a caller leaves a queue unserved.
const (
	LeftHangup   = "hangup"
	LeftTimeout  = "timeout"
	LeftKey      = "key"
	LeftNoAgents = "no_agents"
	LeftFull     = "full"
)

// Record is a call event as the relay takes it. What is not known is left out.
type Record struct {
	ID             string      `json:"id"`
	Event          string      `json:"event"`
	Source         string      `json:"source"`
	Queue          string      `json:"queue,omitempty"`
	UII            string      `json:"uii,omitempty"`
	Direction      string      `json:"direction,omitempty"`
	SegmentID      string      `json:"segment_id,omitempty"`
	AgentID        string      `json:"agent_id,omitempty"`
	AgentUsername  string      `json:"agent_username,omitempty"`
	AgentDevice    string      `json:"agent_device,omitempty"`
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
	TermReason     *string     `json:"term_reason,omitempty"` // empty: unknown
	RingResult     string      `json:"ring_result,omitempty"`
	RingDuration   json.Number `json:"ring_duration,omitempty"`
	QueueResult    string      `json:"queue_result,omitempty"`
	CallResult     string      `json:"call_result,omitempty"`
	Rang           *[]string   `json:"rang,omitempty"` // the phones; nil: not an event that says it
	Recording      string      `json:"recording,omitempty"`
	RecordingStart json.Number `json:"recording_start,omitempty"` // seconds into the file
	RecordingEnd   json.Number `json:"recording_end,omitempty"`
	Recordings     []string    `json:"recordings,omitempty"` // all, when there are several
	Perspective    string      `json:"agent_perspective_recording,omitempty"`
}

// As names the event, and identifies it by its call, its segment and what else
// distinguishes it from others of the same name: the same happening gives the
// same id, whichever way and however often it is seen.
func (r Record) As(name string, more ...string) Record {
	parts := []string{r.Source, r.UII, r.SegmentID, name}
	if r.SegmentID == "" {
		parts = []string{r.Source, r.UII, name}
	}
	r.Event, r.ID = name, joined(append(parts, more...))
	return r
}

// joined makes an id of its parts, the source's name first: it has no control
// characters.
func joined(parts []string) string {
	id := strings.Join(parts, "/")
	if len(id) <= callevent.MaxID && !strings.ContainsFunc(id, unicode.IsControl) {
		return id
	}
	return fmt.Sprintf("%.48s/%x", parts[0], sha256.Sum224([]byte(id)))
}

// Call is what every event of a call says.
type Call struct {
	ID        string
	Start     time.Time // zero: before the source listened
	ANI, DNIS string
	Direction string   // empty: not known yet
	Wanted    bool     // the source takes its events
	Started   bool     // call_start was raised
	Doubt     bool     // not all of it was heard
	Rang      []string // the phones
}

// Written is a moment as events have it; empty for the zero time.
func Written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
}

// Between is the time from a to b in seconds, to the millisecond; empty when
// either is not known. Stamps can step back a little: it is never negative.
func Between(a, b time.Time) json.Number {
	if a.IsZero() || b.IsZero() {
		return ""
	}
	return Seconds(b.Sub(a))
}

// Seconds is a duration, to the millisecond, and not less than nothing.
func Seconds(d time.Duration) json.Number {
	d = max(d, 0).Round(time.Millisecond)
	return json.Number(strconv.FormatFloat(float64(d.Milliseconds())/1000, 'f', -1, 64))
}

// Below is the path of a file below a folder, both as the call server names
// them; empty when it is elsewhere, or the folder is not known.
func Below(folder, name string) string {
	rel, ok := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(path.Clean(folder), "/")+"/")
	if !ok || folder == "" {
		return ""
	}
	return rel
}

// Earlier is the earlier of two moments.
func Earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Later is the later of two moments.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Micros is a moment in microseconds, as part of an id.
func Micros(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}
