package source

import (
	"context"
	"crypto/sha256"
	"encoding/json"
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
// heard since.
func (s *Collector) restore() (reason string) {
	if s.o.Store == nil {
		return GapStart
	}
	data, err := s.o.Store.Load(s.stateName())
	if err != nil {
		s.log.Info("no state of an earlier run", "err", err)
	}
	if len(data) == 0 {
		return GapStart
	}
	s.Lock()
	defer s.Unlock()
	kept := state{Machine: s.machine.State()}
	if err := kept.read(data); err != nil {
		s.log.Error("state not restored", "err", err)
		return GapStart
	}
	s.machine.Restored()
	for _, body := range kept.Pending {
		s.spool.put(Reread(body, s.machine.LastStamp()))
	}
	return GapRestart
}

// stateFormat is the number of the form in which a state is kept. One of
// another form is not read: the source then starts as if for the first time.
const stateFormat = 3

// state is what a source keeps across a restart of the relay: the calls in
// progress, and the events that the relay had not taken yet.
type state struct {
	Format  int               `json:"format"`
	Machine any               `json:"machine"`
	Pending []json.RawMessage `json:"pending"`
}

func (s *state) read(data []byte) error {
	var form struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if form.Format != stateFormat {
		return fmt.Errorf("read state: format %d, want %d", form.Format, stateFormat)
	}
	if err := json.Unmarshal(data, s); err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	return nil
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
	data, err := json.Marshal(state{stateFormat, s.machine.State(), s.spool.pending()})
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
