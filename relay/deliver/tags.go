package deliver

import (
	"strconv"
	"strings"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/route"
	"callrelay/render"
)

// tags are the values of the tags of one attempt: what only the attempt knows,
// over the members of its event. Not safe for concurrent use.
type tags struct {
	event      *call.Event
	service    *route.Service
	recordings Recordings
	attempt    int
	now        time.Time
	preview    bool          // nothing is sent: a recording that is not there is shown
	url        *render.Value // the link to the recording, once it was made
	recording  *Recording    // once it was looked at
	agent      *Recording    // likewise
}

// given are the tags that the attempt gives.
var given = map[string]func(*tags) render.Value{
	"attempt":            func(t *tags) render.Value { return number(strconv.Itoa(t.attempt)) },
	"now":                func(t *tags) render.Value { return text(t.now.UTC().Format(time.RFC3339Nano)) },
	"recording_url":      (*tags).link,
	"recording_state":    (*tags).state,
	"recording_bytes":    (*tags).bytes,
	"recording_seconds":  (*tags).seconds,
	"recording_channels": (*tags).channels,
	"recording_sha256":   (*tags).sha256,
	"recording_name":     func(t *tags) render.Value { return known(t.look().Name) },
	"recording_type":     func(t *tags) render.Value { return known(t.look().Type) },
	"recording_base64":   func(t *tags) render.Value { return known(t.look().Name) }, // the file itself comes when the body is sent

	"recording_file": func(t *tags) render.Value { return known(t.look().Name) },

	"sess_agent_perspective_recording_file": func(t *tags) render.Value { return known(t.lookAgent().Name) },

	"sess_agent_perspective_recording_url": (*tags).agentLink,
}

// value is the [render.Values] of the attempt.
func (t *tags) value(tag string) render.Value {
	if give := given[tag]; give != nil {
		return give(t)
	}
	if file, ok := strings.CutSuffix(tag, ".type"); ok && given[file] != nil { // of a file, see [render.Spec]
		return known(t.carried(file).Type)
	}
	return t.event.Lookup(tag)
}

// link is made at each attempt, so that it never expires while it waits. An
// event without a recording may have brought a link of its own.
func (t *tags) link() render.Value {
	if t.url != nil {
		return *t.url
	}
	url := t.event.RecordingURL()
	if path, present := t.event.Recording(); present {
		url = ""
		if path != "" {
			start, end := t.event.Slice()
			url = t.recordings.Link(path, t.service.RecordingAccess, t.now, start, end)
		}
	}
	link := text(url)
	t.url = &link
	return link
}

// state is that of the recording. What is complete and cannot be linked, such as
// a part where another server serves the files, is missing to a receiver that
// is told of a link.
func (t *tags) state() render.Value {
	state := t.look().State
	if state == RecordingReady && t.service.Template.Uses("recording_url") && t.link().Text == "" {
		state = RecordingMissing
	}
	return text(state)
}

func (t *tags) agentLink() render.Value {
	path, present := t.event.AgentRecording()
	if !present {
		return text(t.event.AgentRecordingURL())
	}
	if _, on := t.recordings.Settings(); !on || path == "" {
		return text("")
	}
	t.recordings.LookAgent(path) // warns of a mono file; the receiver could not mend it
	return text(t.recordings.Link(path, t.service.RecordingAccess, t.now, -1, -1))
}

// look describes the recording. One that is still not complete when its
// delivery goes out counts as missing.
func (t *tags) look() Recording {
	if t.recording != nil {
		return *t.recording
	}
	r := Recording{State: RecordingNone}
	path, _ := t.event.Recording()
	if path != "" {
		start, end := t.event.Slice()
		r = t.recordings.Look(path, start, end)
	}
	if r.State == RecordingPending {
		r.State = RecordingMissing
	}
	t.recording = t.sendable(r, path)
	return *t.recording
}

// What is known of a recording is absent unless it is there.

func (t *tags) bytes() render.Value {
	r := t.look()
	if r.State != RecordingReady {
		return render.Value{}
	}
	return number(strconv.FormatInt(r.Bytes, 10))
}

func (t *tags) seconds() render.Value {
	r := t.look()
	if r.State != RecordingReady || r.Seconds <= 0 {
		return render.Value{}
	}
	return number(strconv.FormatFloat(r.Seconds, 'f', -1, 64))
}

func (t *tags) channels() render.Value {
	r := t.look()
	if r.State != RecordingReady || r.Channels <= 0 {
		return render.Value{}
	}
	return number(strconv.Itoa(r.Channels))
}

func (t *tags) sha256() render.Value {
	r := t.look()
	if r.State != RecordingReady || r.SHA256 == nil {
		return render.Value{}
	}
	return text(r.SHA256())
}

// awaited returns the paths of the recordings that the service uses of an
// event.
func awaited(s *route.Service, e *call.Event, agent bool) []string {
	var paths []string
	if path, _ := e.Recording(); s.UsesRecording && path != "" {
		paths = append(paths, path)
	}
	if path, _ := e.AgentRecording(); agent && s.UsesAgentRecording && path != "" {
		paths = append(paths, path)
	}
	return paths
}

func text(s string) render.Value { return render.Value{Kind: render.String, Text: s} }

func number(digits string) render.Value { return render.Value{Kind: render.Number, Text: digits} }
