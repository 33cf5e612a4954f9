package freeswitch

import (
	"encoding/json"
	"errors"
	"fmt"
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
		return &session{source: s, reason: reason, from: from}
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

// state is what a source keeps across a restart of the relay.
type state struct {
	Format  int               `json:"format"`
	Last    time.Time         `json:"last"`
	Legs    map[string]*leg   `json:"legs"`
	Calls   map[string]*call  `json:"calls"`
	Names   map[string]string `json:"names"`
	Tally   map[string]int    `json:"tally"`
	Heard   map[string]int    `json:"heard"`
	Pending []json.RawMessage `json:"pending"`
}

// stateFormat is the number of the form in which a state is kept.
const stateFormat = 1

// Save implements [source.Machine].
func (m *machine) Save(pending []json.RawMessage) ([]byte, error) {
	return json.Marshal(state{stateFormat, m.Last, m.legs, m.calls, m.names, m.tally, m.heard, pending})
}

// Restore implements [source.Machine].
func (m *machine) Restore(data []byte) ([]json.RawMessage, error) {
	s := state{Legs: m.legs, Calls: m.calls, Names: m.names, Tally: m.tally, Heard: m.heard}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("read state: %w", err)
	}
	if s.Format != stateFormat {
		return nil, fmt.Errorf("read state: format %d, want %d", s.Format, stateFormat)
	}
	m.Last = s.Last
	for id, l := range m.legs {
		if !l.Hung.IsZero() || l.Segment != nil && !l.Segment.End.IsZero() {
			m.owed[id] = true
		}
	}
	return s.Pending, nil
}

// Calls implements [source.Machine].
func (m *registry) Calls() int { return len(m.calls) }
