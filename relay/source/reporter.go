package source

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	callevent "callrelay/relay/call"
)

// Reporter makes call events. It is the part that all machines have in common,
// and not safe for concurrent use.
type Reporter struct {
	Source  string
	Queues  []string // only these; empty: all
	Last    time.Time
	raised  []Event
	missed  int    // events that could not be turned
	problem string // why the last of them
}

// Raised returns the events raised since it was asked last.
func (r *Reporter) Raised() []Event {
	raised := r.raised
	r.raised = nil
	return raised
}

// Raise puts an event out under its id and name.
func (r *Reporter) Raise(id, name string, at time.Time, event any) {
	body, err := json.Marshal(event)
	if err != nil {
		r.Miss("%s: %v", name, err)
		return
	}
	r.raised = append(r.raised, Event{ID: id, Name: name, Body: body, At: at})
}

// Put puts a record out.
func (r *Reporter) Put(e Record, at time.Time) { r.Raise(e.ID, e.Event, at, e) }

// Miss counts what could not be turned.
func (r *Reporter) Miss(format string, args ...any) {
	r.missed++
	r.problem = fmt.Sprintf(format, args...)
}

// Missed is how much that is, and why the last of it.
func (r *Reporter) Missed() (int, string) { return r.missed, r.problem }

// LastStamp is the last stamp.
func (r *Reporter) LastStamp() time.Time { return r.Last }

// Dropped raises what did not fit in the spool.
func (r *Reporter) Dropped(lost Loss) []Event {
	r.Gap(Gap{Reason: GapSpool, Dropped: lost.Events, Checked: true}, lost.From, lost.To)
	return r.Raised()
}

// ID makes an id of what identifies an event.
func (r *Reporter) ID(parts ...string) string { return joined(append([]string{r.Source}, parts...)) }

// Wants reports whether the source takes what happens in a call: in one of its
// queues, or outside any queue if the call was in one of them.
func (r *Reporter) Wants(queue string, c *Call) bool {
	if queue == "" {
		return c.Wanted
	}
	return len(r.Queues) == 0 || slices.Contains(r.Queues, queue)
}

// About is what every event of a call says, at a moment.
func (r *Reporter) About(c *Call, at time.Time) Record {
	return Record{
		Source: r.Source, UII: c.ID, Direction: c.Direction, ANI: c.ANI, DNIS: c.DNIS,
		CallStart: Written(c.Start), Duration: Between(c.Start, at),
	}
}

// Start raises call_start once, as soon as the call is known to be wanted.
func (r *Reporter) Start(c *Call) {
	if !c.Started && c.Wanted && !c.Start.IsZero() {
		c.Started = true
		r.Put(r.About(c, time.Time{}).As("call_start"), c.Start)
	}
}

// End raises what ends a call: e says what became of it, and queue is the last
// one that it was in.
func (r *Reporter) End(c *Call, e Record, queue string, at time.Time) {
	if c.Direction == Inbound && e.CallResult != Connected && !c.Doubt {
		missed := e
		missed.Queue, missed.Rang, missed.Recording = queue, &c.Rang, ""
		r.Put(missed.As("call_missed"), at)
	}
	r.Put(e.As("call_end"), at)
	e.Queue = queue
	r.Put(e.As("post_call"), at)
}

// Gap says that events may be missing, and what is known of them.
type Gap struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	Source  string `json:"source"`
	Reason  string `json:"reason"`         // why nothing was heard
	From    string `json:"from,omitempty"` // empty: it is not known since when
	To      string `json:"to"`
	Count   int    `json:"count"`             // the events known to be missing or incomplete: the sum of those below
	Ended   int    `json:"segments_ended"`    // known before, over now: delivered without their end
	Found   int    `json:"segments_found"`    // in progress now, not known before: their beginning is missing
	Missing int    `json:"segments_missing"`  // began and ended unseen, as the call server counts
	Abandon int    `json:"abandons_missing"`  // callers who gave up unseen, likewise, or may have
	Unheard int    `json:"channels_unheard"`  // further channels gone unheard, at most: each may have been a phone in conversation
	Dropped int    `json:"events_dropped"`    // turned, but the relay took none and the spool was full
	Checked bool   `json:"channels_compared"` // whether the call server reported which channels are alive

	Restarted bool `json:"server_restarted,omitempty"` // the call server was: how many more channels it had made before that is not known
}

// Gap puts a gap out, identified by its reason and its ends.
func (r *Reporter) Gap(g Gap, from, to time.Time) {
	g.ID = r.ID(callevent.Gap, strings.ReplaceAll(g.Reason, " ", "-"), Micros(from)+"-"+Micros(to))
	g.Event, g.Source, g.From, g.To = callevent.Gap, r.Source, Written(from), Written(to)
	g.Count = g.Ended + g.Found + g.Missing + g.Abandon + g.Unheard + g.Dropped
	r.Raise(g.ID, g.Event, to, g)
}
