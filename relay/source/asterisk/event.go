package asterisk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxID is the longest id the relay takes, in bytes.
const maxID = 128

// timeForm is how stamps are written: Asterisk counts microseconds.
const timeForm = "2006-01-02T15:04:05.000000Z07:00"

// record is a call event as the relay takes it. What is not known is left out.
type record struct {
	ID            string      `json:"id"`
	Event         string      `json:"event"`
	Source        string      `json:"source"`
	Queue         string      `json:"queue,omitempty"`
	UII           string      `json:"uii,omitempty"`
	SegmentID     string      `json:"segment_id,omitempty"`
	AgentID       string      `json:"agent_id,omitempty"`
	AgentUsername string      `json:"agent_username,omitempty"`
	ANI           string      `json:"ani,omitempty"`
	DNIS          string      `json:"dnis,omitempty"`
	CallStart     string      `json:"call_start,omitempty"`
	SegmentStart  string      `json:"segment_start,omitempty"`
	SegmentEnd    string      `json:"segment_end,omitempty"`
	AgentDuration json.Number `json:"agent_duration,omitempty"`
	Duration      json.Number `json:"duration,omitempty"`
	TermReason    *string     `json:"term_reason,omitempty"` // empty: unknown
	Recording     string      `json:"recording,omitempty"`
	Perspective   string      `json:"agent_perspective_recording,omitempty"`
}

// raise puts an event out.
func (m *machine) raise(name string, at time.Time, event any) {
	body, err := json.Marshal(event)
	if err != nil {
		m.miss("%s: %v", name, err)
		return
	}
	m.out = append(m.out, output{Name: name, Body: body, At: at})
}

// start raises call_start once, as soon as the call is known to be wanted.
func (m *machine) start(c *call) {
	if c.Started || !c.Wanted || c.Start.IsZero() {
		return
	}
	c.Started = true
	r := m.record("call_start", c, time.Time{})
	r.ID = m.id(c.ID, "call_start")
	m.raise(r.Event, c.Start, r)
}

func (m *machine) raiseCall(name string, c *call, queue string, at time.Time) {
	r := m.record(name, c, at)
	r.ID = m.id(c.ID, name)
	r.Queue = queue
	m.raise(name, at, r)
}

// raiseQueue raises what happens to a caller in a queue. It can happen again
// to the same caller, so that the stamp is part of the id.
func (m *machine) raiseQueue(name string, l *leg, queue string, at time.Time) {
	r := m.record(name, l.call, at)
	r.ID = m.id(l.call.ID, l.ID, name, micros(at))
	r.Queue = queue
	m.raise(name, at, r)
}

// raiseSegment raises what happens once in a segment, at the moment at.
func (m *machine) raiseSegment(name string, l *leg, at time.Time) {
	s := l.Segment
	if s.Done && s.End.IsZero() {
		at = time.Time{} // it ended, nobody knows when
	}
	r := m.record(name, l.call, at)
	r.ID = m.id(l.call.ID, s.ID, name)
	r.Queue, r.SegmentID, r.AgentID, r.AgentUsername = s.Queue, s.ID, s.Agent, s.Username
	r.SegmentStart = written(l.Entered)
	if s.Done {
		r.Recording = m.files.below(s.Recording) // before the end it is not complete
		if s.Dual {
			r.Perspective = r.Recording
		}
		r.SegmentEnd = written(s.End)
		r.AgentDuration = between(l.Entered, s.End)
		r.Duration = between(l.call.Start, s.End)
		r.TermReason = &s.Reason
	}
	m.raise(name, at, r)
}

// record is what every event of a call says, at the moment at.
func (m *machine) record(name string, c *call, at time.Time) record {
	return record{
		Event: name, Source: m.source, UII: c.ID, ANI: c.ANI, DNIS: c.DNIS,
		CallStart: written(c.Start), Duration: between(c.Start, at),
	}
}

// id joins the source's name and what identifies the event; the same manager
// event gives the same id whenever it is turned.
func (m *machine) id(parts ...string) string {
	id := strings.Join(slices.Concat([]string{m.source}, parts), "/")
	if len(id) <= maxID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return m.source + "/" + hex.EncodeToString(sum[:16])
}

// wants reports whether the source takes the events of a queue.
func (m *machine) wants(queue string) bool {
	return len(m.queues) == 0 || slices.Contains(m.queues, queue)
}

// wantsSegment reports whether the source takes a segment: one of its queues,
// or outside any queue in a call that was in one of them.
func (m *machine) wantsSegment(l *leg) bool {
	if l.Segment.Queue == "" {
		return l.call.Wanted
	}
	return m.wants(l.Segment.Queue)
}

// want notes that a call is in a queue of the source.
func (m *machine) want(c *call) {
	c.Wanted = true
	if c != m.born {
		m.start(c)
	}
}

// miss counts an event that could not be turned.
func (m *machine) miss(format string, args ...any) {
	m.missed++
	m.problem = fmt.Sprintf(format, args...)
}

func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(timeForm)
}

// between is the time from a to b in seconds, to the millisecond; empty when
// either is not known. Stamps can step back a little: it is never negative.
func between(a, b time.Time) json.Number {
	if a.IsZero() || b.IsZero() {
		return ""
	}
	d := max(b.Sub(a), 0).Round(time.Millisecond)
	return json.Number(strconv.FormatFloat(float64(d.Milliseconds())/1000, 'f', -1, 64))
}

func micros(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}
