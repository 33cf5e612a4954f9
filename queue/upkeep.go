package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/record"
)

// consumers returns what the cluster knows of the consumer of each service.
func (e *engine) consumers(ctx context.Context) (map[string]jetstream.ConsumerInfo, error) {
	known := map[string]jetstream.ConsumerInfo{}
	for offset := 0; ; {
		var page struct {
			Total     int                      `json:"total"`
			Consumers []jetstream.ConsumerInfo `json:"consumers"`
			Error     *jetstream.APIError      `json:"error"`
		}
		if err := e.query(ctx, "$JS.API.CONSUMER.LIST."+e.name(record.Events), fmt.Appendf(nil, `{"offset":%d}`, offset), &page); err != nil {
			return nil, err
		}
		if page.Error != nil {
			return nil, fmt.Errorf("list consumers: %w", page.Error)
		}
		for _, info := range page.Consumers {
			known[info.Name] = info
		}
		offset += len(page.Consumers)
		if len(page.Consumers) == 0 || offset >= page.Total {
			return known, nil
		}
	}
}

// consumerNames returns the names of the consumers of EVENTS.
func (e *engine) consumerNames(ctx context.Context) (map[string]bool, error) {
	known := map[string]bool{}
	for {
		var page struct {
			Total     int                 `json:"total"`
			Consumers []string            `json:"consumers"`
			Error     *jetstream.APIError `json:"error"`
		}
		if err := e.query(ctx, "$JS.API.CONSUMER.NAMES."+e.name(record.Events), fmt.Appendf(nil, `{"offset":%d}`, len(known)), &page); err != nil {
			return nil, err
		}
		if page.Error != nil {
			return nil, fmt.Errorf("list consumers: %w", page.Error)
		}
		for _, name := range page.Consumers {
			known[name] = true
		}
		if len(page.Consumers) == 0 || len(known) >= page.Total {
			return known, nil
		}
	}
}

// consumer returns what the cluster knows of the consumer of a service.
func (e *engine) consumer(ctx context.Context, service string) (jetstream.ConsumerInfo, error) {
	var answer struct {
		jetstream.ConsumerInfo
		Error *jetstream.APIError `json:"error"`
	}
	err := e.query(ctx, "$JS.API.CONSUMER.INFO."+e.name(record.Events)+"."+service, nil, &answer)
	if err == nil && answer.Error != nil {
		err = answer.Error
	}
	return answer.ConsumerInfo, err
}

func (e *engine) query(ctx context.Context, subject string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m, err := e.nc.RequestWithContext(ctx, subject, body)
	if err != nil {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	return json.Unmarshal(m.Data, answer)
}

// waiting is what the site owes, whichever relay has it in hand, without what is
// in flight here.
func (c *cluster) waiting(l *Lane) int {
	waits := l.acks.unfinished()
	for e := range l.out {
		if e.item == nil {
			waits--
		}
	}
	return max(waits, l.held())
}

func (c *cluster) stored(r *record.Record, seq uint64) {
	c.seen.Store(max(c.seen.Load(), seq)) // the committer alone tells
	l := c.q.lane(r.Service)
	l.count(seq, record.SizeOf(r))
	l.acks.stored()
}

// count tells each lane what the site has for it.
func (c *cluster) count(ctx context.Context, eng *engine) error {
	for _, l := range c.q.allLanes() {
		l.acks.beginCount()
	}
	known, err := eng.consumers(ctx)
	if err != nil {
		return err
	}
	stored, err := eng.serviceCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	parked, err := eng.serviceCounts(ctx, record.Retry)
	if err != nil {
		return err
	}
	for service := range stored {
		c.q.lane(service)
	}
	for _, l := range c.q.allLanes() {
		info, served := known[l.name]
		if !served {
			info.NumPending = uint64(stored[l.name])
		}
		l.acks.endCount(int(info.NumPending) + info.NumAckPending)
		l.mu.Lock()
		l.feed.waiting, l.feed.elsewhere = int(info.NumPending), 0
		if !c.keeps() {
			l.feed.elsewhere = parked[l.name]
		}
		l.mu.Unlock()
	}
	return nil
}

// serviceCounts returns how many records a stream has of each service.
func (e *engine) serviceCounts(ctx context.Context, stream string) (map[string]int, error) {
	subjects, err := e.subjectCounts(ctx, stream)
	counts := map[string]int{}
	for subject, n := range subjects {
		counts[record.ServiceOf(subject)] += n
	}
	return counts, err
}

// trim purges up to the floors that the consumers have. A consumer's leader may
// not know the end of the stream, so the head is purged only where it is old.
func (c *cluster) trim(ctx context.Context, eng *engine, keep time.Duration) error {
	c.q.moving.RLock()
	defer c.q.moving.RUnlock()
	cutoff, err := c.q.cutoff(ctx, eng, keep)
	if err != nil {
		return err
	}
	stored, err := eng.serviceCounts(ctx, record.Events)
	if err != nil {
		return err
	}
	known, err := eng.consumers(ctx)
	if err != nil {
		return err
	}
	head := cutoff
	for service := range stored {
		if info := known[service]; info.NumPending > 0 || info.NumAckPending > 0 || info.Name == "" {
			head = min(head, info.AckFloor.Stream+1)
		}
	}
	if keep >= trimInterval {
		if err := c.q.trimHead(ctx, eng, head); err != nil {
			return err
		}
	}
	for service, n := range stored {
		info := known[service]
		finished := n - int(info.NumPending) - info.NumAckPending
		to := min(info.AckFloor.Stream+1, cutoff)
		if info.Name == "" || finished <= 0 || (finished < worthTrimming && keep > 0) || !c.q.lane(service).trimDue(to, time.Now(), keep == 0) {
			continue
		}
		if err := eng.purge(ctx, record.Events, "events."+service+".>", to); err != nil {
			return err
		}
	}
	return nil
}
