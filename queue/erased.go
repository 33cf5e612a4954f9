package queue

import (
	"encoding/json"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// erasedSubject is where the relays of a site tell each other of what they
// erased of a service.
const erasedSubject = "erased."

// erasedRecords are the sequences of records that are gone.
type erasedRecords struct {
	Stored []uint64 `json:"stored,omitempty"` // of EVENTS
	Parked []uint64 `json:"parked,omitempty"` // of RETRY
}

// erased tells the other relays, which may have fetched the records already.
func (s *shares) erased(eng *engine.Engine, stream, service string, seqs []uint64) {
	var r erasedRecords
	switch stream {
	case record.Events:
		r.Stored = seqs
	case record.Retry:
		r.Parked = seqs
	default:
		return
	}
	if data, err := json.Marshal(r); err == nil {
		_ = eng.NC.Publish(eng.Subject(erasedSubject+service), data)
	}
}

// letGo drops what another relay of the site has erased.
func (s *shares) letGo(m *nats.Msg) {
	var r erasedRecords
	if json.Unmarshal(m.Data, &r) != nil {
		return
	}
	s.c.q.store.Moving.RLock() // an erasure of this relay comes first
	defer s.c.q.store.Moving.RUnlock()
	l := s.c.q.lane(record.ServiceOf(m.Subject))
	_, items, _ := l.eraser.letGo(erasing{stored: record.SetOf(r.Stored), parked: record.SetOf(r.Parked)})
	for _, item := range items {
		s.c.q.retries.finish(item)
	}
	l.mu.Lock()
	l.eraser.erasing = erasing{} // what is gone comes no more
	l.mu.Unlock()
}
