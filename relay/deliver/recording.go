package deliver

import (
	"time"

	"callrelay/relay/call"
	"callrelay/relay/exchange"
)

// The states of a recording.
const (
	RecordingReady      = "ready"
	RecordingPending    = "pending" // may still be completed: worth waiting for
	RecordingMissing    = "missing"
	RecordingUnreadable = "unreadable"
	RecordingNone       = "none" // the event has none
)

// Recordings knows the recordings that events point at. It is safe for
// concurrent use.
type Recordings interface {
	// Look says how the recording at a path is now; with start or end, what is
	// known is that of the part which a link to it cuts out.
	Look(path string, start, end float64) Recording
	// LookAgent is Look for an agent's recording. It warns the operator when that
	// has not two channels.
	LookAgent(path string) Recording
	// Link returns a link to it, or "" when it may not be linked. Access
	// overrides the configured mode unless it is empty; start and end cut out a
	// part, in seconds, and below 0 are not given.
	Link(path, access string, now time.Time, start, end float64) string
	// Watch calls ready once when the recording is complete, be it at once.
	// After cancel it is not called any more, unless it is being called.
	Watch(path string, ready func()) (cancel func())
	// Late has recording_available raised, with the members of e, when the
	// recording is completed before until, else recording_failed.
	Late(path string, e *call.Event, until time.Time)
	// Count notes that a delivery left with its recording, or without the one
	// that missing names.
	Count(service, missing string)
	// Settings returns how long a delivery waits for its recording, counted
	// from its acceptance, and whether agent recordings are linked.
	Settings() (wait time.Duration, agentPerspective bool)
}

// Recording is a recording at one moment.
type Recording struct {
	State    string // ready, pending, missing, unreadable or none
	Name     string // of the file, without folders; what follows is not known unless it is ready
	Type     string // its media type
	Bytes    int64
	Seconds  float64
	Channels int
	SHA256   func() string // hex; may read the file; nil: not known

	// Open opens it to be sent, unless it has changed since. The file may be an
	// [io.Closer]. Nil: it cannot be sent.
	Open func() (exchange.File, error)
}

// noRecordings stands for a relay without [recordings]: links are empty, the
// state is none, nothing waits.
type noRecordings struct{}

func (noRecordings) Look(string, float64, float64) Recording { return Recording{State: RecordingNone} }

func (noRecordings) LookAgent(string) Recording { return Recording{State: RecordingNone} }

func (noRecordings) Link(string, string, time.Time, float64, float64) string { return "" }

func (noRecordings) Watch(string, func()) func() { return func() {} }

func (noRecordings) Count(string, string) {}

func (noRecordings) Late(string, *call.Event, time.Time) {}

func (noRecordings) Settings() (time.Duration, bool) { return 0, false }

// recordingOf returns the recording that an event's delivery has to wait for,
// and until when at most; empty when there is none to wait for.
func (s *setup) recordingOf(e *call.Event, accepted time.Time) (path string, until time.Time) {
	if !s.service.UsesRecording && !s.service.UsesAgentRecording || e.Name == call.RecordingFailed { // it was waited for
		return "", time.Time{}
	}
	wait, _ := s.recordings.Settings()
	until = accepted.Add(wait)
	if !time.Now().Before(until) {
		return "", until
	}
	return s.pending(e), until
}

// pending returns a recording of the event that the service uses and that is
// not complete, or that it carries and cannot read; empty when there is none.
func (s *setup) pending(e *call.Event) string {
	_, agent := s.recordings.Settings()
	for _, path := range awaited(s.service, e, agent) {
		state := s.recordings.Look(path, -1, -1).State
		if state == RecordingPending || state == RecordingUnreadable && s.service.Carries {
			return path
		}
	}
	return ""
}

// lateOf returns the recording that an attempt goes out without, be it that it
// may still be completed or not; empty when there is none.
func (s *setup) lateOf(e *call.Event) string {
	if !s.service.UsesRecording && !s.service.UsesAgentRecording {
		return ""
	}
	if late := s.pending(e); late != "" || !s.service.UsesRecording {
		return late
	}
	path, _ := e.Recording()
	start, end := e.Slice()
	if path != "" && s.recordings.Look(path, start, end).State == RecordingMissing {
		return path
	}
	return ""
}

// countRecording notes with which outcome a delivery of an event leaves that has
// a recording which the service uses.
func (s *setup) countRecording(e *call.Event, late string) {
	_, agent := s.recordings.Settings()
	if len(awaited(s.service, e, agent)) > 0 {
		s.recordings.Count(s.service.Name, late)
	}
}

// watchLate has a recording announced when it is completed after all.
func (s *setup) watchLate(path string, d *delivery) {
	wait, _ := s.recordings.Settings()
	s.recordings.Late(path, d.event, d.accepted.Add(wait+s.late))
}
