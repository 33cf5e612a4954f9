package source

import (
	"slices"
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
	Lag       time.Duration `json:"lag"`        // between the call server's last stamp and its receipt here; both clocks count
	Spooled   int           `json:"spooled"`    // events that wait for the relay to take them
	Turned    uint64        `json:"turned"`     // call events that the relay took
	Unturned  uint64        `json:"unturned"`   // events of the call server that could not be turned, and call events refused for good
	Problem   string        `json:"problem"`    // why the last of them
	Gaps      uint64        `json:"gaps"`       // relay_gap events raised
	Calls     int           `json:"calls"`      // in progress
	LastError string        `json:"last_error"` // why it is not connected; empty: it is
	Refusal   string        `json:"refusal"`    // why the relay takes no events; empty: it does
	Limits    []string      `json:"limits"`     // what the call server does not let the source see, and what mends it
}

// Heard notes the lag of a stamped message. The caller holds the lock.
func (s *Collector) Heard(stamp, now time.Time) {
	s.status.Lag = max(now.Sub(stamp), 0)
}

// Status returns how the source does now. It is safe for concurrent use.
func (s *Collector) Status() Status {
	s.Lock()
	defer s.Unlock()
	status := s.status
	missed, problem := s.machine.Missed()
	status.Unturned, status.Problem = uint64(missed), problem
	status.Calls = s.machine.Calls()
	status.Spooled = len(s.spool.waiting)
	if status.Spooled > 0 && !s.spool.waiting[0].At.IsZero() {
		status.Behind = max(time.Since(s.spool.waiting[0].At), 0)
	}
	return status
}

func (s *Collector) lastStamp() time.Time {
	s.Lock()
	defer s.Unlock()
	return s.machine.LastStamp()
}

// Connected notes that there is a connection.
func (s *Collector) Connected() {
	s.Lock()
	defer s.Unlock()
	s.status.Connected, s.status.Since, s.status.LastError = true, time.Now(), ""
	s.log.Info("source connected", "endpoint", s.o.Config.Address)
}

// disconnected notes that there is no connection, or again none.
func (s *Collector) disconnected(err error) {
	s.Lock()
	defer s.Unlock()
	if s.status.Connected {
		s.status.Connected, s.status.Since = false, time.Now()
	}
	s.trouble(&s.status.LastError, "source disconnected", err)
}

// Limited notes what the call server does not let the source see. The caller
// holds the lock.
func (s *Collector) Limited(limits []string) {
	for _, l := range limits {
		if !slices.Contains(s.status.Limits, l) {
			s.log.Warn("source limited", "reason", l)
		}
	}
	s.status.Limits = limits
}

// Missed counts a message that could not be read.
func (s *Collector) Missed(err error) {
	s.Lock()
	defer s.Unlock()
	s.machine.Miss("%v", err)
}

// trouble notes what goes wrong, and logs it unless it is what it was before.
// The caller holds the lock.
func (s *Collector) trouble(last *string, text string, err error) {
	if *last != err.Error() {
		*last = err.Error()
		s.log.Warn(text, "err", err)
	}
}
