package queue

import (
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

// Error codes of JetStream.
const (
	codeAccountExceeded = 10002
	codeServerExceeded  = 10023
	codeStoreExceeded   = 10047
	codeStoreFailed     = 10077 // with DiscardNew: the stream is full
	codeBatchDuplicate  = 10201 // one known id in a batch refuses the whole batch
)

// publisher writes to one stream and awaits JetStream's acknowledgements. It is
// not safe for concurrent use.
type publisher struct {
	nc     *nats.Conn
	stream string
	sub    *nats.Subscription
	inbox  string
	number uint64   // of the next request; replies to earlier ones are stale
	out    nats.Msg // used again for every record
	noted  bool     // out has headers that a plain record lacks
}

func newPublisher(nc *nats.Conn, stream string) (*publisher, error) {
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox + ".*")
	if err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return &publisher{nc: nc, stream: stream, sub: sub, inbox: inbox, out: nats.Msg{Header: nats.Header{}}}, nil
}

// errNoStream means that nothing listens where the stream should.
var errNoStream = errors.New("stream is missing")

// pubAck is JetStream's acknowledgement.
type pubAck struct {
	Seq   uint64              `json:"seq"`
	Error *jetstream.APIError `json:"error"`
}

// singles writes the drafts one by one, all on their way at once. A refused one
// sets the error of its group. An error means that an acknowledgement is
// missing.
func (p *publisher) singles(drafts []draft) error {
	first := p.number
	for i := range drafts {
		if err := p.send(&drafts[i], p.reply(), "", 0, false); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(commitTimeout)
	for range drafts {
		number, ack, err := p.await(first, deadline)
		if err != nil {
			return err
		}
		d := &drafts[number-first]
		d.seq = ack.Seq
		if ack.Error != nil {
			d.group.err = refusal(ack.Error)
		}
	}
	return nil
}

// batch writes the drafts as one atomic batch: all are stored, with one fsync,
// or none.
func (p *publisher) batch(drafts []draft) error {
	first, last := p.number, len(drafts)-1
	id := strconv.FormatUint(uint64(time.Now().UnixNano()), 36)
	for i := range drafts {
		reply := ""
		if i == last {
			reply = p.reply()
		}
		if err := p.send(&drafts[i], reply, id, i+1, i == last); err != nil {
			return err
		}
	}
	_, ack, err := p.await(first, time.Now().Add(commitTimeout))
	switch {
	case err != nil:
		return err
	case ack.Error == nil:
		for i := range drafts { // a batch is stored in one piece
			drafts[i].seq = ack.Seq - uint64(last-i)
		}
	case ack.Error.ErrorCode == codeBatchDuplicate:
		return p.oneByOne(drafts)
	default:
		for i := range drafts {
			drafts[i].group.err = refusal(ack.Error)
		}
	}
	return nil
}

// oneByOne writes a batch that holds a record JetStream knows. Singly a known
// one is acknowledged like a new one.
func (p *publisher) oneByOne(drafts []draft) error {
	for len(drafts) > 0 {
		part := drafts[:min(len(drafts), maxSingles)]
		if err := p.singles(part); err != nil {
			return err
		}
		drafts = drafts[len(part):]
	}
	return nil
}

// reply returns the subject on which the next request is answered.
func (p *publisher) reply() string {
	p.number++
	return p.inbox + "." + strconv.FormatUint(p.number-1, 10)
}

// send writes one record without waiting.
func (p *publisher) send(d *draft, reply, batch string, seq int, last bool) error {
	r, n, h := d.record(), d.note(), p.out.Header
	if p.noted {
		clear(h)
	}
	p.noted = len(n) > 0
	r.setHeaders(h)
	for i := 0; i < len(n); i += 2 {
		set(h, n[i], n[i+1])
	}
	set(h, headMsgID, d.key())
	if batch != "" {
		set(h, "Nats-Batch-Id", batch)
		set(h, "Nats-Batch-Sequence", strconv.Itoa(seq))
	} else {
		set(h, "Nats-Batch-Id", "")
		set(h, "Nats-Batch-Sequence", "")
	}
	commit := ""
	if last {
		commit = "1"
	}
	set(h, "Nats-Batch-Commit", commit)
	p.out.Subject, p.out.Reply, p.out.Data = subject(p.stream, r, n), reply, r.Body
	if err := p.nc.PublishMsg(&p.out); err != nil {
		return fmt.Errorf("%w: write to stream %s: %w", ErrUnavailable, p.stream, err)
	}
	return nil
}

// await returns the next acknowledgement of a request numbered first or later.
func (p *publisher) await(first uint64, deadline time.Time) (uint64, pubAck, error) {
	for {
		m, err := p.sub.NextMsg(time.Until(deadline))
		if err != nil {
			return 0, pubAck{}, fmt.Errorf("%w: no acknowledgement from stream %s: %w", ErrUnavailable, p.stream, err)
		}
		number, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64)
		if err != nil || number < first {
			continue
		}
		var ack pubAck
		if len(m.Data) == 0 {
			return number, ack, fmt.Errorf("%w: %w", ErrUnavailable, errNoStream)
		}
		if err := json.Unmarshal(m.Data, &ack); err != nil {
			return 0, ack, fmt.Errorf("%w: acknowledgement of stream %s: %w", ErrUnavailable, p.stream, err)
		}
		return number, ack, nil
	}
}

// refusal says what JetStream's refusal means to the caller.
func refusal(e *jetstream.APIError) error {
	switch e.ErrorCode {
	case codeAccountExceeded, codeServerExceeded, codeStoreExceeded, codeStoreFailed:
		return fmt.Errorf("%w: %s", ErrFull, e.Description)
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, e.Description)
}
