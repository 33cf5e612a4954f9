package intake

import (
	"cmp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"callrelay/config"
	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/route"
)

// batch is what is accepted together, or not at all.
type batch struct {
	receipts []receipt
	records  []queue.Record
	bytes    int           // of the events' bodies
	nobodys  []*call.Event // of those that are owed to no service
}

// receipt is what stays of an accepted event for its answer. The id is a text of
// its own: as a part of the event's it would keep that.
type receipt struct {
	id      string
	counter prometheus.Counter
}

// collect decodes one event, adds its segments to the batch, and settles what
// they are owed to. The error is a [call.Error].
func (s *Server) collect(b *batch, table *route.Table, data []byte, internal bool) error {
	events, err := call.Decode(data, decodeOptions(table.Config, internal))
	if err != nil {
		return err
	}
	for i := range events {
		e := &events[i]
		b.receipts = append(b.receipts, receipt{id: strings.Clone(e.ID), counter: s.metrics.accepted.of(e.Name)})
		b.bytes += len(e.Body)
		owed := table.Owed(e)
		if len(owed) == 0 {
			b.nobodys = append(b.nobodys, e)
		}
		for _, service := range owed {
			b.records = append(b.records, queue.Record{
				Service: service.Name, Event: e.Name, ID: e.ID, Call: e.Call,
				Segment: e.Segment, Scope: scope(e), Claim: e.Claim, Body: e.Body,
			})
		}
	}
	return nil
}

// commit makes the batch durable. Done may be called before commit returns, or
// later from a goroutine of the queue.
//
// A crash before done leaves the peer without an answer: it sends the events
// again under the same ids, and what had been stored is recognised.
func (s *Server) commit(b *batch, done func(error)) {
	if len(b.records) == 0 { // owed to nobody
		s.count(b)
		done(nil)
		return
	}
	start := time.Now()
	s.queue.Append(b.records, func(err error) {
		if err == nil {
			s.metrics.journal.Observe(time.Since(start).Seconds())
			s.count(b)
		}
		done(err)
	})
}

// count counts what was accepted.
func (s *Server) count(b *batch) {
	for _, r := range b.receipts {
		r.counter.Inc()
	}
	for _, e := range b.nobodys {
		s.forNobody(e)
	}
}

// decodeOptions are the settings of decoding, which a reload changes.
func decodeOptions(c *config.Config, internal bool) call.Options {
	o := call.Options{MaxEvent: cmp.Or(c.Intake.MaxEvent, call.DefaultMaxEvent), Zone: c.Intake.Timezone, Internal: internal}
	if c.Recordings != nil {
		o.RecordingsDir = c.Recordings.Dir
	}
	return o
}

// scope writes what an event happened at in one word and a name.
func scope(e *call.Event) string {
	if e.ScopeKind == "" {
		return ""
	}
	return e.ScopeKind + " " + e.Scope
}
