package freeswitch

import (
	"log/slog"
	"sync"

	"callrelay/relay/source"
)

// maxRecordings is how many recordings are remembered at most.
const maxRecordings = 10_000

// sharing finds segments that have the same recording: then a link to the one
// plays the other, maybe another customer's. It is safe for concurrent use.
type sharing struct {
	mu     sync.Mutex
	owners map[string]string // the segment of a recording
}

// look warns when another segment had the recording before. One that is a part
// of it shares it rightly.
func (s *sharing) look(e source.Record, log *slog.Logger) {
	if e.Event != "agent_termination" || e.Recording == "" || e.RecordingStart != "" || e.RecordingEnd != "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	segment := e.UII + "/" + e.SegmentID
	before, known := s.owners[e.Recording]
	if known && before != segment && log != nil {
		log.Warn("two segments have the same recording: a link plays another call; see the contact of the agents",
			"recording", e.Recording, "segment", segment, "before", before)
	}
	if s.owners == nil || len(s.owners) >= maxRecordings {
		s.owners = map[string]string{} // better some warnings too few than no bound
	}
	s.owners[e.Recording] = segment
}
