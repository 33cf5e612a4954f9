package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// others is what other relays of the site hold of a service.
type others struct {
	unfinished int // in hand and not acknowledged
	parked     int // taken up by the keeper
}

// consumers returns what the cluster knows of the consumer of each service.
func (e *engine) consumers(ctx context.Context) (map[string]jetstream.ConsumerInfo, error) {
	known := map[string]jetstream.ConsumerInfo{}
	for offset := 0; ; {
		var page struct {
			Total     int                      `json:"total"`
			Consumers []jetstream.ConsumerInfo `json:"consumers"`
			Error     *jetstream.APIError      `json:"error"`
		}
		if err := e.query(ctx, "$JS.API.CONSUMER.LIST."+e.name(events), fmt.Appendf(nil, `{"offset":%d}`, offset), &page); err != nil {
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
		if err := e.query(ctx, "$JS.API.CONSUMER.NAMES."+e.name(events), fmt.Appendf(nil, `{"offset":%d}`, len(known)), &page); err != nil {
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
	err := e.query(ctx, "$JS.API.CONSUMER.INFO."+e.name(events)+"."+service, nil, &answer)
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
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return json.Unmarshal(m.Data, answer)
}

// count tells each lane what waits for it, and what others hold.
func (c *cluster) count(ctx context.Context, eng *engine) error {
	known, err := eng.consumers(ctx)
	if err != nil {
		return err
	}
	subjects, err := eng.subjectCounts(ctx, retry)
	if err != nil {
		return err
	}
	parked := byService(subjects)
	if subjects, err = eng.subjectCounts(ctx, events); err != nil {
		return err
	}
	stored := byService(subjects)
	for service := range stored {
		c.q.lane(service)
	}
	for _, l := range c.q.allLanes() {
		info, ok := known[l.name]
		l.mu.Lock()
		if ok {
			l.feed.waiting = int(info.NumPending)
			l.feed.others.unfinished = max(info.NumAckPending-l.win.open-l.acks.len(), 0)
		} else {
			l.feed.waiting = stored[l.name] // nobody has served it yet
		}
		l.feed.others.parked = 0
		if !c.keeps() {
			l.feed.others.parked = parked[l.name]
		}
		l.mu.Unlock()
	}
	return nil
}

// byService adds up counts of subjects.
func byService(subjects map[string]int) map[string]int {
	counts := map[string]int{}
	for subject, n := range subjects {
		counts[serviceOf(subject)] += n
	}
	return counts
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
	counts, err := eng.subjectCounts(ctx, events)
	if err != nil {
		return err
	}
	known, err := eng.consumers(ctx)
	if err != nil {
		return err
	}
	stored := byService(counts)
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
		if err := eng.purge(ctx, events, "events."+service+".>", to); err != nil {
			return err
		}
	}
	return nil
}
