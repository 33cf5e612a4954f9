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
	Rang           *[]string   `json:"rang,omitempty"`
	Recording      string      `json:"recording,omitempty"`
	RecordingStart json.Number `json:"recording_start,omitempty"`
	RecordingEnd   json.Number `json:"recording_end,omitempty"`
	Recordings     []string    `json:"recordings,omitempty"`
	Perspective    string      `json:"agent_perspective_recording,omitempty"`
}

// reporter makes call events.
type reporter struct {
	source  string
	queues  []string // only these; empty: all
	files   files
	out     []output
	missed  int    // events that could not be turned
	problem string // why the last of them
}

// raise puts an event out.
func (r *reporter) raise(name string, at time.Time, event any) {
	body, err := json.Marshal(event)
	if err != nil {
		r.miss("%s: %v", name, err)
		return
	}
	r.out = append(r.out, output{Name: name, Body: body, At: at})
}

// start raises call_start once, as soon as the call is known to be wanted.
func (r *reporter) start(c *call) {
	if c.Started || !c.Wanted || c.Start.IsZero() {
		return
	}
	c.Started = true
	e := r.record("call_start", c, time.Time{})
	e.ID = r.id(c.ID, "call_start")
	r.raise(e.Event, c.Start, e)
}

// end raises what ends a call, with its result.
func (r *reporter) end(c *call, at time.Time) {
	for _, name := range []string{"call_missed", "call_end", "post_call"} {
		e := r.record(name, c, at)
		e.ID, e.CallResult = r.id(c.ID, name), c.result()
		switch name {
		case "call_missed":
			if c.Connected || c.Doubt || c.Direction != inbound {
				continue
			}
			e.Queue, e.Rang = c.Queue, &c.Rang
		case "post_call":
			e.Queue = c.Queue
		}
		r.raise(name, at, e)
	}
}

// waiting raises what happens to a caller in a queue. It can happen again to
// the same caller, so that the stamp is part of the id.
func (r *reporter) waiting(name string, l *leg, queue, result string, at time.Time) {
	r.start(l.call)
	e := r.record(name, l.call, at)
	e.ID = r.id(l.call.ID, l.ID, name, micros(at))
	e.Queue, e.QueueResult = queue, result
	r.raise(name, at, e)
}

// ringing raises what happens to a phone that is called.
func (r *reporter) ringing(name string, l *leg, o offer, result string, at time.Time) {
	r.start(l.call)
	e := r.record(name, l.call, at)
	e.ID = r.id(l.call.ID, l.ID, name, micros(l.Dial.At))
	e.Queue, e.AgentID, e.AgentUsername, e.AgentDevice = o.Queue, o.Agent, o.Username, l.device()
	if result != "" {
		e.RingResult, e.RingDuration = result, between(l.Dial.At, at)
	}
	r.raise(name, at, e)
}

// segment raises what happens once in a segment, at the moment at.
func (r *reporter) segment(name string, c *call, s *segment, at time.Time) {
	r.start(c)
	if s.Done && s.End.IsZero() {
		at = time.Time{} // it ended, nobody knows when
	}
	e := r.record(name, c, at)
	e.ID = r.id(c.ID, s.ID, name)
	e.Queue, e.SegmentID = s.Queue, s.ID
	e.AgentID, e.AgentUsername, e.AgentDevice = s.Agent, s.Username, s.Device
	e.SegmentStart = written(s.Start)
	if s.Done {
		r.recorded(&e, s)
		e.SegmentEnd = written(s.End)
		e.AgentDuration = between(s.Start, s.End)
		e.Duration = between(c.Start, s.End)
		e.TermReason = &s.Reason
		if s.Held > 0 {
			e.HoldDuration = seconds(s.Held)
		}
	}
	r.raise(name, at, e)
}

// recorded adds the recordings of a segment that ended: before, they are not
// complete.
func (r *reporter) recorded(e *record, s *segment) {
	var most *part
	for i := range s.Files {
		p := &s.Files[i]
		name := r.files.below(p.Name)
		if name == "" {
			continue
		}
		e.Recordings = append(e.Recordings, name)
		if most == nil || p.End.Sub(p.Start) > most.End.Sub(most.Start) {
			most = p
		}
	}
	if most == nil {
		return
	}
	if len(e.Recordings) < 2 {
		e.Recordings = nil
	}
	e.Recording = r.files.below(most.Name)
	if most.Dual {
		e.Perspective = e.Recording
	}
	if most.Slice && most.To > most.From {
		e.RecordingStart, e.RecordingEnd = seconds(most.From), seconds(most.To)
	}
}

// record is what every event of a call says, at the moment at.
func (r *reporter) record(name string, c *call, at time.Time) record {
	return record{
		Event: name, Source: r.source, UII: c.ID, Direction: c.Direction, ANI: c.ANI, DNIS: c.DNIS,
		CallStart: written(c.Start), Duration: between(c.Start, at),
	}
}

// id joins the source's name and what identifies the event; the same manager
// event gives the same id whenever it is turned.
func (r *reporter) id(parts ...string) string {
	id := strings.Join(slices.Concat([]string{r.source}, parts), "/")
	if len(id) <= maxID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return r.source + "/" + hex.EncodeToString(sum[:16])
}

// wants reports whether the source takes the events of a queue, or, outside
// any queue, of a call.
func (r *reporter) wants(queue string, c *call) bool {
	if queue == "" {
		return c.Wanted
	}
	return len(r.queues) == 0 || slices.Contains(r.queues, queue)
}

// miss counts an event that could not be turned.
func (r *reporter) miss(format string, args ...any) {
	r.missed++
	r.problem = fmt.Sprintf(format, args...)
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
	return seconds(b.Sub(a))
}

func seconds(d time.Duration) json.Number {
	d = max(d, 0).Round(time.Millisecond)
	return json.Number(strconv.FormatFloat(float64(d.Milliseconds())/1000, 'f', -1, 64))
}

func micros(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}
