package freeswitch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// Converter turns documents into events. Its zero value works. It is safe for
// concurrent use.
type Converter struct {
	// Source gives the name that ids begin with, and the tag source, of the
	// FreeSWITCH that calls itself switchname, and its own name for the folder
	// of recordings. Nil, or empty: the switchname, and Recordings.
	Source func(switchname string) (name, recordings string)

	// Recordings is the folder of recordings as FreeSWITCH names it. A file
	// elsewhere is left out; so are all when it is empty.
	Recordings string

	// Outside is called with each recording that is left out. Nil: nothing is.
	Outside func(file string)
}

// minConsult is how long a recording must run before its segment for the start
// of it to be cut off: before an attended transfer the agents talk in private.
const minConsult = time.Second

// Convert returns the events of one document, none when the leg is neither a
// caller's nor an agent's who was in conversation.
func (c Converter) Convert(body []byte) ([]json.RawMessage, error) {
	records, err := c.records(body)
	if err != nil {
		return nil, err
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

func (c Converter) records(body []byte) ([]record, error) {
	d, err := parse(body)
	if err != nil {
		return nil, err
	}
	d.source = cmp.Or(string(d.Switch), "freeswitch")
	if c.Source != nil {
		name, recordings := c.Source(string(d.Switch))
		d.source, c.Recordings = cmp.Or(name, d.source), cmp.Or(recordings, c.Recordings)
	}
	switch side := d.variable("cc_side"); {
	case d.variable("is_loopback") != "" || loopback(d.variable("channel_name")):
		return nil, nil
	case side == "member":
		return c.callerLeg(d), nil
	case side == "agent" && d.variable("cc_agent_type") == "uuid-standby":
		return nil, nil // one document for all the calls of a shift does not say when any of them ended
	case side == "agent" || d.answered():
		return c.agentLeg(d), nil
	case !d.called():
		return c.callerLeg(d), nil
	}
	return nil, nil
}

// called reports whether another leg called this one.
func (d *document) called() bool {
	return len(d.first().Originator.Profiles) > 0 || d.variable("originator", "originating_leg_uuid") != ""
}

// answered reports whether the leg is that of a phone that took another's
// call: it was dialled, or it picked the call up.
func (d *document) answered() bool {
	return d.called() && d.variable("relay_agent", "dialed_user") != "" || d.ran("intercept")
}

// device is the user of the directory whose phone the leg is. dialed_user is
// also set on the leg of who dialled, and then says whom.
func (d *document) device() string {
	dialled := d.variable("dialed_user")
	if d.variable("originate_disposition") != "" {
		dialled = string(d.first().Dialled)
	}
	return cmp.Or(userOf(d.variable("presence_id", "user_name")), dialled)
}

// phone is the user whose phone made the call of the leg; empty: a trunk's.
func (d *document) phone() string {
	if d.variable("direction") == "outbound" && !d.called() { // the relay's own word for click to dial
		return d.device()
	}
	return userOf(d.variable("user_name"))
}

func (d *document) ran(app string) bool {
	return slices.ContainsFunc(d.Log.Applications, func(a application) bool { return string(a.Name) == app })
}

// record is what every event of the document says.
func (d *document) record() record {
	return record{Source: d.source, Queue: queueName(d.variable("cc_queue")), UII: d.uuid()}
}

// agentLeg is a segment, unless agent and caller never heard each other.
func (c Converter) agentLeg(d *document) []record {
	start, end, reason := d.segmentStart(), d.end(), endReason(func(name string) string { return d.variable(name) })
	if start.IsZero() {
		return nil
	}
	r := d.record()
	r.UII, r.SegmentID = d.callOfAgent(), d.uuid()
	r.AgentDevice = d.device()
	r.AgentID = cmp.Or(d.variable("relay_agent", "cc_agent"), r.AgentDevice)
	r.AgentUsername = d.variable("relay_agent_username", "effective_caller_id_name")
	r.ANI, r.DNIS, r.Direction = d.caller(r.UII)
	if joined := seconds(d.variable("cc_queue_joined_epoch")); !joined.IsZero() {
		// Cut to the second, it would lie before the call. It was before the phone rang.
		r.EnqueueTime = written(earlier(joined.Add(time.Second-time.Microsecond), later(d.start(), joined)))
	}
	r.SegmentStart, r.SegmentEnd, r.AgentDuration = written(start), written(end), between(start, end)
	if held := micros(d.Variables["hold_accum_usec"]); !held.IsZero() {
		r.HoldDuration = inSeconds(time.Duration(held.UnixMicro()) * time.Microsecond)
	}
	r.TermReason = &reason
	r.Recording, r.RecordingStart = c.recording(d, start)
	records := []record{r.as("agent_termination")}
	if reason == reasonTransfer {
		records = append(records, r.as("transfer_termination"))
	}
	return records
}

// callOfAgent is the caller's leg. The module's call_uuid is not: a transfer
// rewrites it.
func (d *document) callOfAgent() string {
	last := d.variable("last_bridge_to")
	if d.variable("originate_disposition") != "" && d.originated(last) {
		last = "" // whom the agent consulted
	}
	member := d.variable("cc_member_session_uuid")
	return cmp.Or(member, last, d.variable("originating_leg_uuid", "originator", "last_bridge_to"), d.uuid())
}

// originated reports whether the leg called another one.
func (d *document) originated(uuid string) bool {
	return slices.ContainsFunc(d.Callflow, func(f flow) bool {
		return slices.ContainsFunc(f.Profile.Originatee.Profiles, func(p profile) bool { return string(p.UUID) == uuid })
	})
}

// segmentStart is when agent and caller began to talk; zero: they never did.
// The variables know the last bridge only. The first one is when a queue's leg
// got its caller, and when a phone that consulted another one answered.
func (d *document) segmentStart() time.Time {
	bridged := d.stamp("bridge_uepoch", "bridged_time")
	if bridged.IsZero() {
		return bridged
	}
	if d.variable("cc_side") == "agent" {
		for _, f := range d.Callflow {
			if t := micros(f.Times["profile_created_time"]); len(f.Profile.Originator.Profiles) > 0 && !t.IsZero() {
				return t
			}
		}
	}
	if d.variable("originate_disposition") != "" {
		if t := d.stamp("answer_uepoch", "answered_time"); !t.IsZero() {
			return t
		}
	}
	return bridged
}

// caller is who called an agent's leg, the number they had dialled first, and
// which way the call goes: from the newest profile that knows the caller.
func (d *document) caller(uii string) (ani, dnis, direction string) {
	for _, f := range d.Callflow {
		for _, p := range f.Profile.Originatee.Profiles {
			if string(p.UUID) == uii {
				return string(cmp.Or(p.ANI, p.CallerID)), string(cmp.Or(p.RDNIS, p.Dialled)), d.directionFrom(p)
			}
		}
		if from := f.Profile.Originator.Profiles; len(from) > 0 {
			p := from[len(from)-1]
			return string(cmp.Or(p.CallerID, p.ANI, f.Profile.CallerID)), string(cmp.Or(p.RDNIS, p.Dialled)), d.directionFrom(p)
		}
	}
	return string(d.first().CallerID), "", ""
}

// directionFrom tells a phone from a trunk by where its channel is registered:
// at the profile that the agent's own phone is at.
func (d *document) directionFrom(p profile) string {
	own := sipProfile(d.variable("channel_name"))
	if own != "" && own == sipProfile(string(p.Channel)) {
		return internal
	}
	return inbound
}

// recording is the file of an agent's leg, and where in it the segment begins
// when the leg was recorded long before.
func (c Converter) recording(d *document, start time.Time) (string, json.Number) {
	if d.variable("RECORD_DISCARDED") == "true" {
		return "", "" // it is deleted
	}
	file, began := d.variable("relay_recording"), time.Time{}
	for _, a := range d.Log.Applications {
		if name := string(a.Data); a.Name == "record_session" && (file == "" || path.Clean(file) == path.Clean(name)) {
			file, began = name, micros(a.Stamp)
		}
	}
	name := c.below(file)
	if name == "" || began.IsZero() || start.Sub(began) < minConsult {
		return name, ""
	}
	return name, between(began, start)
}

// below is the path of a file below the folder of recordings, which may be
// spelled in two ways: through a symbolic link, too.
func (c Converter) below(file string) string {
	if file == "" {
		return ""
	}
	if rel := below(c.Recordings, file); rel != "" {
		return rel
	}
	folder, err := filepath.EvalSymlinks(c.Recordings)
	if parent, other := filepath.EvalSymlinks(filepath.Dir(file)); err == nil && other == nil && c.Recordings != "" {
		if rel := below(folder, filepath.Join(parent, filepath.Base(file))); rel != "" {
			return rel
		}
	}
	if c.Outside != nil && c.Recordings != "" {
		c.Outside(file)
	}
	return ""
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// callerLeg is a call: what its queues said of it, and its end.
func (c Converter) callerLeg(d *document) []record {
	start, end := d.start(), d.end()
	r := d.record()
	first := d.first()
	r.ANI, r.DNIS, r.CallStart, r.Direction = string(first.CallerID), string(first.Dialled), written(start), d.direction()
	queue := r.Queue
	var records []record
	visits := d.visits()
	for i, v := range visits {
		r.Queue, r.EnqueueTime, r.DequeueTime = v.Queue, written(v.Joined), written(v.Left)
		records = append(records, r.entered(i+1))
		if !v.Answered {
			r.QueueResult = v.Result
			records = append(records, r.visit("queue_abandon", i+1))
			r.QueueResult = ""
		}
	}
	r.Duration, r.CallResult = between(start, end), d.result(visits)
	r.Recording = c.below(d.variable("relay_recording", "cc_record_filename"))
	r.Queue = ""
	records = append(records, r.as("call_end"))
	if r.Direction == inbound && r.CallResult != resultConnected {
		records = append(records, r.missed(d.rang()))
	}
	if r.Direction == outbound && r.CallResult == resultConnected {
		records = append(records, c.outboundLeg(d, r)...)
	}
	r.Queue = queue
	return append(records, r.as("post_call"))
}

// entered is the event of a caller who comes into a queue.
func (r record) entered(n int) record {
	r.DequeueTime = ""
	return r.visit("queue_enter", n)
}

// missed is the event of a call that nobody answered.
func (r record) missed(rang []string) record {
	r.Rang, r.Recording = &rang, ""
	return r.as("call_missed")
}

// rang are the phones that a call rang at without a queue.
func (d *document) rang() []string {
	phones := []string{}
	for _, f := range d.Callflow {
		for _, p := range f.Profile.Originatee.Profiles {
			if name := string(p.Dialled); name != "" && !loopback(string(p.Channel)) && !slices.Contains(phones, name) {
				phones = append(phones, name)
			}
		}
	}
	return phones
}

// outboundLeg is the segment of the agent who made the call: the leg is both.
func (c Converter) outboundLeg(d *document, r record) []record {
	start, end, reason := d.stamp("bridge_uepoch", "bridged_time"), d.end(), endReason(func(name string) string { return d.variable(name) })
	if start.IsZero() {
		return nil
	}
	r.SegmentID, r.AgentDevice = d.uuid(), d.phone()
	r.AgentID = cmp.Or(d.variable("relay_agent"), r.AgentDevice)
	r.AgentUsername = d.variable("relay_agent_username", "effective_caller_id_name")
	r.SegmentStart, r.SegmentEnd, r.AgentDuration = written(start), written(end), between(start, end)
	r.TermReason, r.CallResult = &reason, ""
	r.Recording, r.RecordingStart = c.recording(d, start)
	return []record{r.as("agent_termination")}
}

// direction is which way the call of a caller's leg goes.
func (d *document) direction() string {
	switch {
	case d.phone() == "":
		return inbound
	case d.variable("cc_side") == "" && d.variable("originate_disposition", "last_bridge_to") != "" &&
		(d.variable("dialed_user") == "" || d.variable("direction") == "outbound"):
		return outbound
	}
	return internal
}

// result is what became of the call.
func (d *document) result(visits []visit) string {
	talked := d.talked()
	switch n := len(visits); {
	case n > 0 && visits[n-1].Answered:
		return resultConnected
	case n > 0 && !talked.After(visits[n-1].Joined):
		return leftQueue(visits[n-1].Result)
	case !talked.IsZero():
		return resultConnected
	}
	return unanswered(cmp.Or(d.variable("originate_failed_cause", "last_bridge_hangup_cause"), d.variable("hangup_cause")))
}

// talked is when the caller's leg was bridged last to one that is no plumbing:
// behind a loopback there may be a mailbox.
func (d *document) talked() time.Time {
	for _, f := range d.Callflow {
		peers := slices.Concat(f.Profile.Originatee.Profiles, f.Profile.Originator.Profiles)
		last := text(d.variable("last_bridge_to"))
		plumbing := slices.ContainsFunc(peers, func(p profile) bool { return loopback(string(p.Channel)) && (p.UUID == last || len(peers) == 1) })
		if t := micros(f.Times["bridged_time"]); !t.IsZero() && !plumbing {
			return t
		}
	}
	if len(d.Callflow) == 0 {
		return micros(d.Variables["bridge_uepoch"])
	}
	return time.Time{}
}
