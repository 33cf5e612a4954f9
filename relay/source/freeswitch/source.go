package freeswitch

import (
	"errors"
	"time"

	"callrelay/relay/source"
)

// Source collects the events of one FreeSWITCH over its event socket. Run it
// once.
type Source struct {
	*source.Collector
	o       source.Options
	machine *machine
	ledger  *Ledger // nil: none
}

// NewSource returns a source that is not running yet. What documents have said
// already is not said again, and the other way around; ledger may be nil.
func NewSource(o source.Options, ledger *Ledger) *Source {
	o.Emit = ledger.emit(o.Emit, o.Log)
	if ledger != nil && o.Store != nil {
		o.Store = withLedger{o.Store, ledger}
	}
	s := &Source{o: o, ledger: ledger}
	s.machine = newMachine(o.Config.Name, o.Config.Queues, o.Config.Phones, Converter{Recordings: o.Recordings()})
	s.machine.documented = ledger.Documented
	s.Collector = source.New(o, s.machine, func(reason string, from time.Time) source.Session {
		return &session{source: s, reason: reason, from: from, survey: survey{machine: s.machine}}
	})
	return s
}

// withLedger is a store that keeps the ledger, too, whenever it keeps the
// source's state.
type withLedger struct {
	source.Store
	ledger *Ledger
}

// Save implements [source.Store].
func (s withLedger) Save(name string, data []byte) error {
	return errors.Join(s.ledger.Save(), s.Store.Save(name, data))
}

// state is what a machine keeps across a restart of the relay.
type state struct {
	Last         *time.Time
	Legs         map[string]*leg
	Calls        map[string]*call
	Names        map[string]string
	Tally, Heard map[string]int
	Census       *census
	Unsaid       *source.Gap
}

// State implements [source.Machine].
func (m *machine) State() any {
	return &state{&m.Last, m.legs, m.calls, m.names, m.tally, m.heard, &m.census, &m.gap}
}

// Restored implements [source.Machine].
func (m *machine) Restored() {
	for id, l := range m.legs {
		if !l.Hung.IsZero() || l.Segment != nil && !l.Segment.End.IsZero() {
			m.owed[id] = true
		}
	}
}

// Calls implements [source.Machine].
func (m *registry) Calls() int { return len(m.calls) }
