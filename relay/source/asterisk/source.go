package asterisk

import (
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// Source collects the events of one Asterisk. Run it once.
type Source struct {
	*source.Collector
	o       source.Options
	machine *machine
}

// New returns a source that is not running yet.
func New(o source.Options) *Source {
	s := &Source{o: o, machine: newMachine(o.Config.Name, o.Config.Queues, o.Config.Phones, o.Recordings())}
	s.Collector = source.New(o, s.machine, func(reason string, from time.Time) source.Session {
		return &session{source: s, reason: reason, from: from, lists: map[string][]ami.Message{}}
	})
	return s
}

// Calls implements [source.Machine].
func (t *tracker) Calls() int { return len(t.calls) }
