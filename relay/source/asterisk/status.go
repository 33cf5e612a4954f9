package asterisk

import (
	"time"
)

// Status says how a source does.
type Status struct {
	Name      string        `json:"name"`
	Type      string        `json:"type"`
	Address   string        `json:"address"`
	Connected bool          `json:"connected"`
	Since     time.Time     `json:"since"`      // connected or disconnected since then; zero: it never was
	Behind    time.Duration `json:"behind"`     // how long ago the oldest event happened that the relay has not taken; 0: none waits
	Lag       time.Duration `json:"lag"`        // between Asterisk's last stamp and its receipt here; both clocks count
	Spooled   int           `json:"spooled"`    // events that wait for the relay to take them
	Turned    uint64        `json:"turned"`     // call events that the relay took
	Unturned  uint64        `json:"unturned"`   // manager events that could not be turned, and call events refused for good
	Problem   string        `json:"problem"`    // why the last of them
	Gaps      uint64        `json:"gaps"`       // relay_gap events raised
	Calls     int           `json:"calls"`      // in progress
	LastError string        `json:"last_error"` // why it is not connected; empty: it is
	Refusal   string        `json:"refusal"`    // why the relay takes no events; empty: it does
}

// heard notes the lag of a stamped message.
func (s *Status) heard(stamp, now time.Time) {
	s.Lag = max(now.Sub(stamp), 0)
}

// Status returns how the source does now. It is safe for concurrent use.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Unturned, status.Problem = uint64(s.machine.missed), s.machine.problem
	status.Calls = len(s.machine.calls)
	status.Spooled = s.spool.len()
	if o, ok := s.spool.first(); ok && !o.At.IsZero() {
		status.Behind = max(time.Since(o.At), 0)
	}
	return status
}

func (s *Source) lastHeard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.last
}

func (s *Source) connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Connected, s.status.Since, s.status.LastError = true, time.Now(), ""
	s.log.Info("source connected", "endpoint", s.o.Config.Address)
}

// disconnected notes that there is no connection, or again none.
func (s *Source) disconnected(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Connected {
		s.status.Connected, s.status.Since = false, time.Now()
	}
	s.trouble(&s.status.LastError, "source disconnected", err)
}

// missed counts a message that could not be read.
func (s *Source) missed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine.miss("%v", err)
}

// trouble notes what goes wrong, and logs it unless it is what it was before.
// The caller holds mu.
func (s *Source) trouble(last *string, text string, err error) {
	if *last != err.Error() {
		*last = err.Error()
		s.log.Warn(text, "err", err)
	}
}
