package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// commitTimeout is how long an acknowledgement may take before the store
// counts as frozen: JetStream does not answer after a write error.
const commitTimeout = 4 * time.Second

// codeStoreFailed is JetStream's error when a stream is full.
const codeStoreFailed = 10077

// publisher writes to one stream and makes it durable. It is the only one that
// writes there. It is not safe for concurrent use.
type publisher struct {
	eng    *engine
	stream string
	disk   *disk
	last   uint64 // sequence of the last record of the stream

	sub    *nats.Subscription
	inbox  string
	number uint64   // of the next request; replies to earlier ones are stale
	sent   uint64   // records that had no id of their own
	out    nats.Msg // used again for every record
	noted  bool     // out has headers that a plain record lacks
	all    []*draft // of the present write
}

func newPublisher(ctx context.Context, eng *engine, stream string, d *disk) (*publisher, error) {
	last, err := eng.lastSeq(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", stream, err)
	}
	inbox := eng.pub.NewInbox()
	sub, err := eng.pub.SubscribeSync(inbox + ".*")
	if err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return &publisher{
		eng: eng, stream: stream, disk: d, last: last,
		sub: sub, inbox: inbox, out: nats.Msg{Header: nats.Header{}},
	}, nil
}

// errNoStream means that nothing listens where the stream should.
var errNoStream = errors.New("stream is missing")

// pubAck is JetStream's acknowledgement.
type pubAck struct {
	Seq       uint64              `json:"seq"`
	Duplicate bool                `json:"duplicate"`
	Error     *jetstream.APIError `json:"error"`
}

// write stores the drafts and returns when they are on disk; those that were
// refused have no sequence then, and their group has the reason. An error means
// that it is not known what is stored.
func (p *publisher) write(drafts []draft) error {
	all := p.all[:0]
	for i := range drafts {
		all = append(all, &drafts[i])
	}
	p.all = all
	missing, err := p.pass(all, false)
	if err == nil && len(missing) > 0 {
		missing, err = p.pass(missing, true)
	}
	for _, d := range missing {
		d.group.err = cmp.Or(d.group.err, error(ErrUnavailable))
	}
	clear(all)
	return err
}

// pass stores drafts. Those that JetStream takes for copies are missing then:
// that they are none is known here, but when the clock is set back JetStream
// remembers ids until it has caught up. Insisting, they are stored under ids of
// their own.
//
// Only the last record asks for an acknowledgement. JetStream stores them in
// order, so when its sequence is as far from the last one as there are drafts,
// all are stored.
func (p *publisher) pass(drafts []*draft, insist bool) (missing []*draft, err error) {
	first := p.number
	for i, d := range drafts {
		reply := ""
		if i == len(drafts)-1 {
			reply = p.reply()
		}
		if err := p.send(d, reply, insist); err != nil {
			return nil, err
		}
	}
	ack, err := p.await(first, time.Now().Add(commitTimeout))
	if err != nil {
		return nil, err
	}
	switch {
	case ack.Error == nil && !ack.Duplicate && ack.Seq <= p.last:
		return nil, fmt.Errorf("%w: stream %s was replaced by another", ErrUnavailable, p.stream)
	case ack.Error != nil || ack.Seq != p.last+uint64(len(drafts)):
		return p.resolve(drafts, ack)
	}
	if err := p.disk.syncNew(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	for _, d := range drafts {
		p.last++
		d.seq = p.last
	}
	return nil, nil
}

// resolve looks which of the drafts are stored, after JetStream refused some.
// Those it took for copies are missing; of any others the group has the reason.
func (p *publisher) resolve(drafts []*draft, ack pubAck) (missing []*draft, err error) {
	found := map[string]uint64{}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: p.last + 1, HeadersOnly: true}
	err = p.eng.read(ctx, p.stream, cfg, func(m *nats.Msg, at place) bool {
		found[m.Header.Get(headMsgID)] = at.seq
		p.last = max(p.last, at.seq)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if len(found) > 0 {
		if err := p.disk.syncNew(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	for _, d := range drafts {
		switch d.seq = found[d.id]; {
		case d.seq != 0:
		case ack.Error != nil:
			d.group.err = refusal(ack.Error)
		default:
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// reply returns the subject on which the next request is answered.
func (p *publisher) reply() string {
	p.number++
	return p.inbox + "." + strconv.FormatUint(p.number-1, 10)
}

// send passes one record to JetStream without waiting. Insisting, its id is one
// that JetStream cannot know.
func (p *publisher) send(d *draft, reply string, insist bool) error {
	r, n, h := d.record(), d.note(), p.out.Header
	if p.noted {
		clear(h)
	}
	p.noted = len(n) > 0
	r.setHeaders(h)
	for i := 0; i < len(n); i += 2 {
		set(h, n[i], n[i+1])
	}
	key := ""
	if d.id = d.key(); d.id == "" || insist {
		p.sent++
		key, d.id = d.id, p.inbox+"."+strconv.FormatUint(p.sent, 36)
	}
	set(h, headMsgID, d.id)
	set(h, headKey, key)
	p.out.Subject, p.out.Reply, p.out.Data = p.eng.subject(subject(p.stream, r, n)), reply, r.Body
	if err := p.eng.pub.PublishMsg(&p.out); err != nil {
		return fmt.Errorf("%w: write to stream %s: %w", ErrUnavailable, p.stream, err)
	}
	return nil
}

// await returns the acknowledgement of the request numbered so.
func (p *publisher) await(number uint64, deadline time.Time) (pubAck, error) {
	var ack pubAck
	for {
		m, err := p.sub.NextMsg(time.Until(deadline))
		if err != nil {
			return ack, fmt.Errorf("%w: no acknowledgement from stream %s: %w", ErrUnavailable, p.stream, err)
		}
		if m.Subject[strings.LastIndexByte(m.Subject, '.')+1:] != strconv.FormatUint(number, 10) {
			continue // of an earlier request
		}
		if len(m.Data) == 0 {
			return ack, fmt.Errorf("%w: %w", ErrUnavailable, errNoStream)
		}
		if err := json.Unmarshal(m.Data, &ack); err != nil {
			return ack, fmt.Errorf("%w: acknowledgement of stream %s: %w", ErrUnavailable, p.stream, err)
		}
		return ack, nil
	}
}

// refusal says what JetStream's refusal means to the caller.
func refusal(e *jetstream.APIError) error {
	if e.ErrorCode == codeStoreFailed {
		return fmt.Errorf("%w: %s", ErrFull, e.Description)
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, e.Description)
}
