package asterisk

import (
	"encoding/json"
	"time"

	callsource "callrelay/relay/source"
)

// Source collects the events of one Asterisk. Run it once.
type Source struct {
	*callsource.Collector
	o       callsource.Options
	machine *machine
}

// New returns a source that is not running yet.
func New(o callsource.Options) *Source {
	s := &Source{o: o, machine: newMachine(o.Config.Name, o.Config.Queues, o.Config.Phones, files{From: o.Recordings()})}
	s.Collector = callsource.New(o, guarded{s.machine}, func(reason string, from time.Time) callsource.Session {
		return &session{source: s, reason: reason, from: from}
	})
	return s
}

// output is one call event.
type output = callsource.Event

// guarded is a machine as the collector sees it.
type guarded struct{ *machine }

// Save implements [callsource.Machine].
func (g guarded) Save(pending []json.RawMessage) ([]byte, error) { return save(g.machine, pending) }

// Restore implements [callsource.Machine].
func (g guarded) Restore(data []byte) ([]json.RawMessage, error) { return restore(g.machine, data) }

// Dropped implements [callsource.Machine].
func (g guarded) Dropped(lost callsource.Loss) []callsource.Event {
	g.out = nil
	g.raiseGap(gap{Reason: gapSpool, Dropped: lost.Events, Checked: true}, lost.From, lost.To)
	return g.out
}

// Miss implements [callsource.Machine].
func (g guarded) Miss(format string, args ...any) { g.miss(format, args...) }

// Missed implements [callsource.Machine].
func (g guarded) Missed() (int, string) { return g.missed, g.problem }

// Calls implements [callsource.Machine].
func (g guarded) Calls() int { return len(g.calls) }

// Heard implements [callsource.Machine].
func (g guarded) Heard() time.Time { return g.last }
