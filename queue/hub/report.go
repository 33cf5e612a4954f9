package hub

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// EdgeReport is what an edge tells the hub of itself.
type EdgeReport struct {
	Name    string     `json:"name"`
	ID      string     `json:"id"`      // of its queue folder
	Made    time.Time  `json:"made"`    // the folder
	Version string     `json:"version"` // of its relay
	Waiting int        `json:"waiting"` // deliveries owed: waiting, in flight and retrying
	Dead    int        `json:"dead"`    // letters
	Oldest  time.Time  `json:"oldest,omitzero"`
	Bytes   int64      `json:"bytes"`             // of its queue
	Problem string     `json:"problem,omitempty"` // why it takes no events
	Letters LetterSpan `json:"letters"`

	Services []string `json:"services,omitempty"` // that it holds anything for, or may; an older edge names none
}

// key tells a folder, under the name that its edge had, from all others.
func (r *EdgeReport) key() [2]string { return [2]string{r.Name, r.ID} }

// named reports whether name and folder are such as an edge may have: at the hub
// they become parts of subjects.
func (r *EdgeReport) named() bool {
	return engine.StateName.MatchString(r.Name) && engine.StateName.MatchString(r.ID) && r.Name != Domain
}

// LetterSpan says which dead letters there are, by their numbers.
type LetterSpan struct {
	First  uint64      `json:"first"`
	Last   uint64      `json:"last"`
	Gaps   [][2]uint64 `json:"gaps,omitempty"`   // from, to: those in between that are gone
	Rough  bool        `json:"rough,omitempty"`  // there are more gaps
	Listed bool        `json:"listed,omitempty"` // this is known at all
}

// maxGaps bounds a report.
const maxGaps = 1000

// Has reports whether the letter is there, or came after the report.
func (s LetterSpan) Has(seq uint64) bool {
	if !s.Listed || seq > s.Last {
		return true
	}
	i, _ := slices.BinarySearchFunc(s.Gaps, seq, func(gap [2]uint64, seq uint64) int {
		switch {
		case gap[1] < seq:
			return -1
		case gap[0] > seq:
			return 1
		}
		return 0
	})
	gone := i < len(s.Gaps) && s.Gaps[i][0] <= seq && seq <= s.Gaps[i][1]
	return seq >= s.First && !gone
}

// letterSpan reads which dead letters there are.
func letterSpan(ctx context.Context, e *engine.Engine) LetterSpan {
	s, err := e.Stream(ctx, record.Dead)
	if err != nil {
		return LetterSpan{}
	}
	state := s.CachedInfo().State
	if state.NumDeleted > 0 {
		info, err := s.Info(ctx, jetstream.WithDeletedDetails(true))
		if err != nil {
			return LetterSpan{}
		}
		state = info.State
	}
	span := LetterSpan{First: state.FirstSeq, Last: state.LastSeq, Listed: true}
	for _, seq := range state.Deleted {
		if n := len(span.Gaps); n > 0 && span.Gaps[n-1][1]+1 == seq {
			span.Gaps[n-1][1] = seq
			continue
		}
		if len(span.Gaps) == maxGaps {
			span.Rough = true
			break
		}
		span.Gaps = append(span.Gaps, [2]uint64{seq, seq})
	}
	return span
}
