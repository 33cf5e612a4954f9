package queue

import (
	"fmt"
	"sync/atomic"

	"callrelay/queue/journal"
	"callrelay/queue/record"
)

const (
	usualPayload = 1 << 20  // what a NATS server takes in one message, unless it is told otherwise
	headRoom     = 16 << 10 // for the headers that a record gets until it is a dead letter
)

// payload is the largest message that the servers of a cluster take. One that is
// larger is never sent: it would be refused each time, and all behind it wait.
type payload struct{ max atomic.Int64 }

// fits returns nil when the servers take each record of a group.
func (p *payload) fits(g *journal.Group) error {
	most := p.max.Load()
	for i := range g.Recs {
		size := record.SizeOf(&g.Recs[i]) + headRoom
		switch {
		case most > 0 && size > most:
			return fmt.Errorf("%w: %d bytes with its headers, and max_payload of the cluster is %d", record.ErrTooLarge, size, most)
		case most == 0 && size > usualPayload:
			return fmt.Errorf("%w: the cluster has to say first whether it takes %d bytes", record.ErrUnavailable, size)
		}
	}
	return nil
}
