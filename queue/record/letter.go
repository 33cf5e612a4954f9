package record

import (
	"cmp"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// Death is why a delivery is given up.
type Death struct {
	Reason   string // a subject token: rejected, expired, render, overflow, removed
	Attempts int
	Status   int
	Error    string
}

// Letter is a delivery that was given up.
type Letter struct {
	Seq uint64 `json:"seq"` // its place in DEAD
	Record
	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	Status   int       `json:"status,omitempty"`
	Error    string    `json:"error,omitempty"`
	Accepted time.Time `json:"accepted"`
	Buried   time.Time `json:"buried"`
}

// Filter selects dead letters. Zero fields match all.
type Filter struct {
	Service string
	Reason  string
	Call    string
	ID      string    // the event id
	Since   time.Time // buried at or after
	Until   time.Time // buried before
	Seqs    []uint64
	Newest  int // of Letters: only the last so many, newest first; 0: all, oldest first
	Batch   int // how many are replayed or dropped at a time; 0: 1,000, or a tenth of Rate
	Rate    int // how many are replayed a second; 0: as many as the queue takes
}

// Subject is what the filter can leave to JetStream.
func (f Filter) Subject() string {
	service, reason := "*", "*"
	if f.Service != "" {
		service = f.Service
	}
	if f.Reason != "" {
		reason = f.Reason
	}
	return "dead." + service + "." + reason
}

// Whole reports whether the filter matches every letter of its subject.
func (f Filter) Whole() bool {
	return f.Call == "" && f.ID == "" && f.Since.IsZero() && f.Until.IsZero() && len(f.Seqs) == 0
}

// Matches reports whether the filter selects a letter.
func (f Filter) Matches(l *Letter) bool {
	return (f.Service == "" || f.Service == l.Service) && (f.Reason == "" || f.Reason == l.Reason) &&
		(f.Call == "" || f.Call == l.Call) && (f.ID == "" || f.ID == l.ID) &&
		!l.Buried.Before(f.Since) && (f.Until.IsZero() || l.Buried.Before(f.Until)) &&
		(len(f.Seqs) == 0 || slices.Contains(f.Seqs, l.Seq))
}

// ReadLetter reads a record of DEAD, which lies there under a sequence since a time.
func ReadLetter(m *nats.Msg, seq uint64, at time.Time) Letter {
	h, r := m.Header, Read(m)
	reason := r.Event // the third token of the subject
	r.Event = h.Get(HeadEvent)
	return Letter{
		Seq: seq, Record: r, Reason: reason, Attempts: int(HeadInt(h, HeadAttempts)), Status: int(HeadInt(h, HeadStatus)),
		Error: h.Get(HeadError), Buried: cmp.Or(HeadTime(h, HeadBuried), at), Accepted: HeadTime(h, HeadAccepted),
	}
}

// Note is what is stored beside a letter.
func (l *Letter) Note() Note {
	return Note{}.With(HeadReason, l.Reason).With(HeadEvent, l.Event).WithInt(HeadAccepted, l.Accepted.UnixNano()).
		WithInt(HeadBuried, l.Buried.UnixNano()).WithInt(HeadAttempts, int64(l.Attempts)).WithInt(HeadStatus, int64(l.Status)).
		With(HeadError, l.Error)
}

// ReasonOverflow is the reason of dead letters that the queue makes itself.
const ReasonOverflow = "overflow"

// Ascending returns the sequences in order, each once.
func Ascending(seqs []uint64) []uint64 {
	seqs = slices.Clone(seqs)
	slices.Sort(seqs)
	return slices.Compact(seqs)
}

// SetOf is the set of its members.
func SetOf[T comparable](members []T) map[T]bool {
	set := map[T]bool{}
	for _, one := range members {
		set[one] = true
	}
	return set
}
