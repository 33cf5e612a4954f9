package queue

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
)

const (
	confirmWait  = time.Second // how long an acknowledgement may go unconfirmed before it is sent again
	confirmTries = 60          // after so many, its consumer is gone
)

// acks are the acknowledgements of a lane that the cluster has not confirmed
// yet, and a count of what is still owed to its service.
type acks struct {
	mu   sync.Mutex
	own  map[uint64]*ack // by sequence
	owed int             // records of EVENTS that no relay of the site has finished
	late int             // of them, stored by this one since a count began
}

// ack is an acknowledgement on its way.
type ack struct {
	subject string
	sent    time.Time
	tries   int
}

func (a *acks) add(seq uint64, subject string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own == nil {
		a.own = map[uint64]*ack{}
	}
	a.own[seq] = &ack{subject: subject, sent: time.Now()}
	a.owed--
}

// stored notes that one more is owed.
func (a *acks) stored() {
	a.mu.Lock()
	a.owed++
	a.late++
	a.mu.Unlock()
}

// beginCount is called before the cluster is asked, and endCount with what it
// told: how many are not acknowledged. What was stored meanwhile may be among
// them or not, so there what this relay knew by itself decides.
func (a *acks) beginCount() {
	a.mu.Lock()
	a.late = 0
	a.mu.Unlock()
}

func (a *acks) endCount(unacknowledged int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	least := max(unacknowledged-len(a.own), 0)
	a.owed = min(max(a.owed, least), least+a.late)
}

func (a *acks) unfinished() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owed
}

// forget drops those that were meant for a stream that is gone.
func (a *acks) forget() {
	a.mu.Lock()
	a.own, a.owed, a.late = nil, 0, 0
	a.mu.Unlock()
}

func (a *acks) remove(seq uint64) {
	a.mu.Lock()
	delete(a.own, seq)
	a.mu.Unlock()
}

func (a *acks) has(seq uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.own[seq] != nil
}

func (a *acks) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.own)
}

// repeat sends again what has waited too long.
func (a *acks) repeat(eng *engine.Engine, confirm, service string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for seq, one := range a.own {
		switch {
		case one.tries > confirmTries:
			delete(a.own, seq)
		case now.Sub(one.sent) > confirmWait:
			one.sent, one.tries = now, one.tries+1
			sendAck(eng, confirm, one.subject, service, seq)
		}
	}
}

func sendAck(eng *engine.Engine, confirm, subject, service string, seq uint64) {
	_ = eng.NC.PublishRequest(subject, confirm+"."+service+"."+strconv.FormatUint(seq, 10), nil)
}

// confirmed takes the cluster's word that an acknowledgement is kept.
func (s *shares) confirmed(m *nats.Msg) {
	if m.Header.Get("Status") != "" {
		return // nobody leads the consumer now
	}
	tokens := strings.Split(m.Subject, ".")
	seq, err := strconv.ParseUint(tokens[len(tokens)-1], 10, 64)
	if err != nil {
		return
	}
	s.c.q.lane(tokens[len(tokens)-2]).acks.remove(seq)
}

// unconfirmed reports whether acknowledgements are on their way.
func (s *shares) unconfirmed() bool {
	for _, l := range s.c.q.allLanes() {
		if l.acks.count() > 0 {
			return true
		}
	}
	return false
}
