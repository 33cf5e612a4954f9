package freeswitch

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	maxID    = 128 // bytes of an id
	timeForm = "2006-01-02T15:04:05.000000Z07:00"
)

// callResults are what became of a caller in a queue, by cc_cause.
var callResults = map[string]string{"answered": "Connected", "cancel": "Abandoned"}

// Converter turns documents into events. Its zero value works. It is safe for
// concurrent use.
type Converter struct {
	// Source is the name ids begin with and the tag source; empty: the
	// document's switchname.
	Source string

	// Recordings is the folder of recordings as FreeSWITCH names it. A file
	// elsewhere is left out; so are all when it is empty.
	Recordings string
}

// record is a call event as the relay takes it. What is not known is left out.
type record struct {
	ID            string      `json:"id"`
	Event         string      `json:"event"`
	Source        string      `json:"source"`
	Queue         string      `json:"queue,omitempty"`
	UII           string      `json:"uii"`
	SegmentID     string      `json:"segment_id,omitempty"`
	AgentID       string      `json:"agent_id,omitempty"`
	AgentUsername string      `json:"agent_username,omitempty"`
	ANI           string      `json:"ani,omitempty"`
	DNIS          string      `json:"dnis,omitempty"`
	CallStart     string      `json:"call_start,omitempty"`
	EnqueueTime   string      `json:"enqueue_time,omitempty"`
	DequeueTime   string      `json:"dequeue_time,omitempty"`
	SegmentStart  string      `json:"segment_start,omitempty"`
	SegmentEnd    string      `json:"segment_end,omitempty"`
	AgentDuration json.Number `json:"agent_duration,omitempty"`
	Duration      json.Number `json:"duration,omitempty"`
	CallResult    string      `json:"call_result,omitempty"`
	TermReason    *string     `json:"term_reason,omitempty"` // empty: unknown
	Recording     string      `json:"recording,omitempty"`
}

// Convert returns the events of one document, none when the leg is neither a
// caller's nor an agent's who was in conversation.
func (c Converter) Convert(body []byte) ([]json.RawMessage, error) {
	d, err := parse(body)
	if err != nil {
		return nil, err
	}
	var records []record
	switch {
	case d.agent() != "":
		records = c.agentLeg(d)
	case !d.called():
		records = c.callerLeg(d)
	}
	events := make([]json.RawMessage, 0, len(records))
	for _, r := range records {
		event, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", r.Event, err)
		}
		events = append(events, event)
	}
	return events, nil
}

// agent is who answered on the leg; empty when it is no agent's.
func (d *document) agent() string {
	switch side := d.variable("cc_side"); {
	case side == "agent":
		return d.variable("relay_agent", "cc_agent")
	case side == "" && d.called():
		return d.variable("relay_agent", "dialed_user")
	}
	return ""
}

// agentLeg is a segment, unless agent and caller never heard each other.
func (c Converter) agentLeg(d *document) []record {
	start, end := d.stamp("bridge_uepoch", "bridged_time"), d.stamp("end_uepoch", "hangup_time")
	if start.IsZero() {
		return nil
	}
	reason := d.reason()
	r := c.record(d)
	r.SegmentID, r.AgentID, r.AgentUsername = d.uuid(), d.agent(), d.variable("relay_agent_username", "callee_id_name")
	r.ANI, r.DNIS = d.caller()
	r.EnqueueTime = written(seconds(d.variable("cc_queue_joined_epoch")))
	r.SegmentStart, r.SegmentEnd, r.AgentDuration = written(start), written(end), between(start, end)
	r.TermReason = &reason
	r.Recording = c.below(d.variable("relay_recording"))
	records := []record{r.as("agent_termination")}
	if reason == "transfer" {
		records = append(records, r.as("transfer_termination"))
	}
	return records
}

// callerLeg is a call: what its queue said of it, and its end.
func (c Converter) callerLeg(d *document) []record {
	start, end := d.stamp("start_uepoch", "created_time"), d.stamp("end_uepoch", "hangup_time")
	r := c.record(d)
	first := d.first()
	r.ANI, r.DNIS, r.CallStart = first.CallerID, first.Dialled, written(start)
	queue := r.Queue
	var records []record
	if joined := d.variable("cc_queue_joined_epoch"); joined != "" && queue != "" {
		r.EnqueueTime, r.Duration = written(seconds(joined)), ""
		records = append(records, r.as("queue_enter", joined))
		if left := d.variable("cc_queue_canceled_epoch"); left != "" && d.variable("cc_cause") == "cancel" {
			records = append(records, r.as("queue_abandon", left))
		}
	}
	r.DequeueTime = written(seconds(d.variable("cc_queue_answered_epoch")))
	r.Duration, r.CallResult = between(start, end), callResults[d.variable("cc_cause")]
	r.Recording = c.below(d.variable("relay_recording", "cc_record_filename"))
	r.Queue = ""
	records = append(records, r.as("call_end"))
	r.Queue = queue
	return append(records, r.as("post_call"))
}

// record is what every event of the document says.
func (c Converter) record(d *document) record {
	return record{
		Source: cmp.Or(c.Source, d.Switch, "freeswitch"),
		Queue:  d.variable("cc_queue"),
		UII:    cmp.Or(d.variable("cc_member_session_uuid", "originating_leg_uuid", "originator", "call_uuid"), d.uuid()),
	}
}

// as names the event, and identifies it by its leg or call and by what tells
// it apart from others of the same name.
func (r record) as(name string, more ...string) record {
	r.Event = name
	parts := append([]string{r.Source, r.UII}, r.SegmentID, name)
	if r.SegmentID == "" {
		parts = []string{r.Source, r.UII, name}
	}
	r.ID = strings.Join(append(parts, more...), "/")
	if len(r.ID) > maxID {
		r.ID = fmt.Sprintf("%.48s/%x", r.Source, sha256.Sum224([]byte(r.ID)))
	}
	return r
}

// caller is who called an agent's leg, and the number they had dialled.
func (d *document) caller() (ani, dnis string) {
	p := d.first()
	if p.Originator == nil || len(p.Originator.Profiles) == 0 {
		return p.CallerID, ""
	}
	o := p.Originator.Profiles[len(p.Originator.Profiles)-1]
	return cmp.Or(o.CallerID, p.CallerID), o.Dialled
}

// reason says who ended the leg: the agent's phone hung up, or it transferred,
// or FreeSWITCH hung it up because the caller had gone.
func (d *document) reason() string {
	disposition := d.variable("endpoint_disposition")
	switch {
	case disposition == "BLIND_TRANSFER", disposition == "ATTENDED_TRANSFER":
		return "transfer"
	case d.variable("sip_hangup_disposition") == "recv_bye":
		return "agent"
	case d.variable("sip_hangup_disposition") == "send_bye" && d.variable("hangup_cause") == "NORMAL_CLEARING":
		return "caller"
	}
	return ""
}

// below is the path of a file below the folder of recordings.
func (c Converter) below(name string) string {
	rel, ok := strings.CutPrefix(path.Clean(name), strings.TrimSuffix(path.Clean(c.Recordings), "/")+"/")
	if !ok || c.Recordings == "" {
		return ""
	}
	return rel
}

func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(timeForm)
}

// between is the time from a to b in seconds, to the millisecond.
func between(a, b time.Time) json.Number {
	if a.IsZero() || b.IsZero() {
		return ""
	}
	ms := max(b.Sub(a), 0).Round(time.Millisecond).Milliseconds()
	return json.Number(strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64))
}
