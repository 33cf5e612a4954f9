package source

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// maxStateName is the longest name a [Store] takes, in bytes.
const maxStateName = 64

// stateName is under what the state is kept.
func (s *Collector) stateName() string {
	name := "source-" + s.o.Config.Name
	if len(name) <= maxStateName {
		return name
	}
	return fmt.Sprintf("source-%x", sha256.Sum224([]byte(name)))[:maxStateName]
}

// restore takes up the state of an earlier run and returns why nothing was
// heard since: what cannot be read is no reason to keep silent about the gap.
func (s *Collector) restore() (reason string) {
	if s.o.Store == nil {
		return GapStart
	}
	data, err := s.o.Store.Load(s.stateName())
	if err == nil && len(data) == 0 {
		return GapStart
	}
	s.Lock()
	defer s.Unlock()
	if err == nil {
		err = s.read(data)
	}
	if err != nil {
		s.log.Error("calls in progress not restored", "err", err)
	}
	return GapRestart
}

// stateFormat is the number of the form in which a state is kept.
const stateFormat = 3

// state is what a source keeps across a restart of the relay: the calls in
// progress, and the events that the relay had not taken yet.
type state[M any] struct {
	Format  int               `json:"format"`
	Machine M                 `json:"machine"`
	Pending []json.RawMessage `json:"pending"`
}

// read takes up a saved state. Of one in another form, it is since when nothing
// was heard, and what waits.
func (s *Collector) read(data []byte) error {
	var kept struct {
		state[json.RawMessage]
		Last time.Time `json:"last"` // before format 3
	}
	err := json.Unmarshal(data, &kept)
	if err == nil && kept.Format != stateFormat {
		err = fmt.Errorf("format %d, want %d", kept.Format, stateFormat)
		kept.Machine, _ = json.Marshal(map[string]time.Time{"Last": kept.Last}) // a map of a time
	}
	if len(kept.Machine) > 0 {
		err = errors.Join(err, json.Unmarshal(kept.Machine, s.machine.State()))
		s.machine.Restored()
	}
	for _, body := range kept.Pending {
		s.spool.put(Reread(body, s.machine.LastStamp()))
	}
	return err
}

// Reread is an event from a saved state.
func Reread(body json.RawMessage, at time.Time) Event {
	var r Record
	_ = json.Unmarshal(body, &r) // only for its name and id
	return Event{ID: r.ID, Name: r.Event, Body: body, At: at}
}

// keep saves the state soon after each change. A crash loses what was heard
// since the last time; the calls in progress show it then, and the queues'
// counts.
func (s *Collector) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.dirty:
		}
		began := time.Now()
		s.save()
		Wait(ctx, max(SaveInterval, 10*time.Since(began)))
	}
}

// save saves the state. A failure is logged when it follows a success.
func (s *Collector) save() {
	if s.o.Store == nil {
		return
	}
	s.Lock()
	data, err := json.Marshal(state[any]{stateFormat, s.machine.State(), s.spool.pending()})
	s.Unlock()
	if err == nil {
		err = s.o.Store.Save(s.stateName(), data)
	}
	s.Lock()
	defer s.Unlock()
	if err == nil {
		s.unsaved = ""
		return
	}
	s.trouble(&s.unsaved, "state not saved", err)
}

// Touch notes that the state has changed since it was saved.
func (s *Collector) Touch() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}
