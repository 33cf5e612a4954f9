package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	// CommitTimeout is how long an acknowledgement may take before the store
	// counts as frozen: JetStream does not answer after a write error.
	CommitTimeout = 4 * time.Second
	// lookedAt is how many records of a batch that holds a known one go singly
	// at a time.
	lookedAt = 64

	codeStoreFailed    = 10077 // JetStream's error when a stream is full
	codeBatchDuplicate = 10201 // one known id in a batch refuses the whole batch
)

// errNoStream means that nothing listens where the stream should.
var errNoStream = errors.New("stream is missing")

// pubAck is JetStream's acknowledgement.
type pubAck struct {
	Seq       uint64              `json:"seq"`
	Duplicate bool                `json:"duplicate"`
	Error     *jetstream.APIError `json:"error"`
}

// Publisher writes to one stream, and what it reports as stored JetStream has
// acknowledged: it is on the disk of the embedded server, which syncs always, or
// on most of a cluster's. A few records go as single publishes, all on their way
// at once, more as one atomic batch, see [pace]. It is not safe for concurrent
// use.
type Publisher struct {
	eng    *engine.Engine
	stream string
	// Alone: nobody else writes here, and the ids are known before: what
	// JetStream takes for a copy is none.
	Alone bool
	// Strict: a record that cannot be stored now fails those with it, so that
	// all go another way in order.
	Strict bool

	sub    *nats.Subscription
	inbox  string
	number uint64 // of the next request; replies to earlier ones are stale
	sent   uint64 // records that were given an id of their own
	last   uint64 // the highest sequence that is known of
	pace   pace
	out    nats.Msg // used again for every record
	all    []*Draft // of the present write
}

// NewPublisher returns what writes to a stream for as long as an engine runs.
func NewPublisher(ctx context.Context, eng *engine.Engine, stream string) (*Publisher, error) {
	last, err := eng.LastSeq(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", stream, err)
	}
	inbox := eng.Pub.NewInbox()
	sub, err := eng.Pub.SubscribeSync(inbox + ".*")
	if err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return &Publisher{eng: eng, stream: stream, last: last, sub: sub, inbox: inbox, out: nats.Msg{Header: nats.Header{}}}, nil
}

// Write stores the drafts and returns when they survive a power cut; those that
// were refused have no sequence then, and their group has the reason. An error
// means that it is not known what is stored.
func (p *Publisher) Write(drafts []Draft) error {
	p.all = p.all[:0]
	for i := range drafts {
		p.all = append(p.all, &drafts[i])
	}
	defer clear(p.all)
	err := p.pass(p.all)
	if err == nil && p.Alone {
		err = p.insist(p.all)
	}
	if err == nil && !p.Alone {
		err = p.compare(drafts)
	}
	if p.Strict {
		return errors.Join(err, unavailable(drafts))
	}
	if p.Alone || !errors.Is(err, errNoStream) {
		return err
	}
	// While nobody leads the stream, what was stored nevertheless is known when it
	// is sent again.
	for i := range drafts {
		drafts[i].seq, drafts[i].Group.Err = 0, err
	}
	return nil
}

// compare refuses groups that have a record whose id another relay of the
// cluster has stored for something else, and takes back what was stored of them
// already. What was accepted before, and is only sent on, is stored under an id
// of its own then.
func (p *Publisher) compare(drafts []Draft) error {
	var accepted []*Draft
	for i := range drafts {
		d := &drafts[i]
		if !d.known || d.record().Claim == "" {
			continue
		}
		m, _, err := p.eng.GetDirect(context.Background(), p.stream, fmt.Appendf(nil, `{"seq":%d}`, d.seq))
		switch {
		case errors.Is(err, record.ErrNotFound): // trimmed, so it was delivered; it cannot be compared any more
		case err != nil:
			return err
		case m.Header.Get(record.HeadClaim) == d.record().Claim:
		case d.Group.Keys != nil:
			accepted = append(accepted, d)
		default:
			d.Group.Err = conflict(d.record())
		}
	}
	if err := p.insist(accepted); err != nil {
		return err
	}
	var back []uint64
	for i := range drafts {
		if d := &drafts[i]; errors.Is(d.Group.Err, record.ErrConflict) {
			if d.seq != 0 && !d.known {
				back = append(back, d.seq)
			}
			d.seq = 0
		}
	}
	if len(back) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), engine.RequestTimeout)
	defer cancel()
	return p.eng.DeleteEach(ctx, p.stream, back)
}

// unavailable is the reason for which one of the drafts was not stored, if it may
// be stored later.
func unavailable(drafts []Draft) error {
	for i := range drafts {
		if err := drafts[i].Group.Err; errors.Is(err, record.ErrUnavailable) {
			return err
		}
	}
	return nil
}

// pass stores the drafts in the way that is faster for so many.
func (p *Publisher) pass(drafts []*Draft) (err error) {
	if len(drafts) == 0 {
		return nil
	}
	began, batched, known := time.Now(), p.pace.batches(len(drafts)), false
	if batched {
		known, err = p.batch(drafts)
	} else {
		err = p.singles(drafts, false)
	}
	switch {
	case err != nil:
		return err
	case known:
		return p.oneByOne(drafts)
	}
	p.pace.note(len(drafts), batched, time.Since(began))
	return nil
}

// insist stores what JetStream took for copies under ids of their own. That they
// are none is known here; but when the clock is set back JetStream remembers ids
// until it has caught up.
func (p *Publisher) insist(drafts []*Draft) error {
	missing := drafts[:0]
	for _, d := range drafts {
		if d.known {
			d.seq, d.known = 0, false
			missing = append(missing, d)
		}
	}
	for len(missing) > 0 {
		part := missing[:min(len(missing), lookedAt)]
		if err := p.singles(part, true); err != nil {
			return err
		}
		missing = missing[len(part):]
	}
	return nil
}

// oneByOne writes a batch that holds a record JetStream knows. Singly a known
// one is acknowledged like a new one.
func (p *Publisher) oneByOne(drafts []*Draft) error {
	for len(drafts) > 0 {
		part := drafts[:min(len(drafts), lookedAt)]
		if err := p.singles(part, false); err != nil {
			return err
		}
		drafts = drafts[len(part):]
	}
	return nil
}

// singles writes the drafts one by one, all on their way at once. An error means
// that an acknowledgement is missing.
func (p *Publisher) singles(drafts []*Draft, insist bool) error {
	first, before := p.number, p.last
	for _, d := range drafts {
		if err := p.send(d, p.reply(), insist, nil); err != nil {
			return err
		}
	}
	deadline, answered := time.Now().Add(CommitTimeout), make([]bool, len(drafts))
	for waiting := len(drafts); waiting > 0; {
		number, ack, err := p.await(first, deadline)
		if err != nil {
			return err
		}
		if answered[number-first] { // an acknowledgement may come twice
			continue
		}
		answered[number-first], waiting = true, waiting-1
		d := drafts[number-first]
		if ack.Error != nil {
			d.Group.Err = refusal(ack.Error)
			continue
		}
		d.seq, d.known = ack.Seq, ack.Duplicate
		if err := p.follows(before, ack); err != nil {
			return err
		}
	}
	return nil
}

// follows takes up how far the stream is, and notices one that begins anew.
func (p *Publisher) follows(before uint64, ack pubAck) error {
	if !ack.Duplicate && ack.Seq <= before {
		return fmt.Errorf("%w: stream %s was replaced by another", record.ErrUnavailable, p.stream)
	}
	p.last = max(p.last, ack.Seq)
	return nil
}

// inBatch is a record's place in an atomic batch.
type inBatch struct {
	batch string
	nth   int
	last  bool
}

// batch writes the drafts as one atomic batch: all are stored, with one fsync, or
// none. It reports whether none is because JetStream knows one of them.
func (p *Publisher) batch(drafts []*Draft) (known bool, err error) {
	first, before, last := p.number, p.last, len(drafts)-1
	at := inBatch{batch: p.inbox[strings.LastIndexByte(p.inbox, '.')+1:] + strconv.FormatUint(first, 36)}
	for i, d := range drafts {
		reply := ""
		if at.nth, at.last = i+1, i == last; at.last {
			reply = p.reply()
		}
		if err := p.send(d, reply, false, &at); err != nil {
			return false, err
		}
	}
	_, ack, err := p.await(first, time.Now().Add(CommitTimeout))
	switch {
	case err != nil:
		return false, err
	case ack.Error == nil:
		for i, d := range drafts { // a batch is stored in one piece
			d.seq = ack.Seq - uint64(last-i)
		}
		return false, p.follows(before, ack)
	case ack.Error.ErrorCode == codeBatchDuplicate:
		return true, nil
	}
	for _, d := range drafts {
		d.Group.Err = refusal(ack.Error)
	}
	return false, nil
}

// reply returns the subject on which the next request is answered.
func (p *Publisher) reply() string {
	p.number++
	return p.inbox + "." + strconv.FormatUint(p.number-1, 10)
}

// send passes one record to JetStream without waiting. Insisting, its id is one
// that JetStream cannot know.
func (p *Publisher) send(d *Draft, reply string, insist bool, at *inBatch) error {
	r, n, h := d.record(), d.note(), p.out.Header
	clear(h)
	r.SetHeaders(h)
	for i := 0; i < len(n); i += 2 {
		record.SetHeader(h, n[i], n[i+1])
	}
	key, own := d.key(), ""
	if insist {
		p.sent++
		key, own = p.inbox+"."+strconv.FormatUint(p.sent, 36), key
	}
	record.SetHeader(h, record.HeadMsgID, key)
	record.SetHeader(h, record.HeadKey, own)
	if at != nil {
		record.SetHeader(h, "Nats-Batch-Id", at.batch)
		record.SetHeader(h, "Nats-Batch-Sequence", strconv.Itoa(at.nth))
		if at.last {
			record.SetHeader(h, "Nats-Batch-Commit", "1")
		}
	}
	p.out.Subject, p.out.Reply, p.out.Data = p.eng.Subject(record.Subject(p.stream, r, n)), reply, r.Body
	if err := p.eng.Pub.PublishMsg(&p.out); err != nil {
		return fmt.Errorf("%w: write to stream %s: %w", record.ErrUnavailable, p.stream, err)
	}
	return nil
}

// await returns the next acknowledgement of a request numbered first or later.
func (p *Publisher) await(first uint64, deadline time.Time) (uint64, pubAck, error) {
	for {
		var ack pubAck
		m, err := p.sub.NextMsg(time.Until(deadline))
		if err != nil {
			return 0, ack, fmt.Errorf("%w: no acknowledgement from stream %s: %w", record.ErrUnavailable, p.stream, err)
		}
		number, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64)
		if err != nil || number < first {
			continue
		}
		if len(m.Data) == 0 {
			return number, ack, fmt.Errorf("%w: %w", record.ErrUnavailable, errNoStream)
		}
		if err := json.Unmarshal(m.Data, &ack); err != nil {
			return 0, ack, fmt.Errorf("%w: acknowledgement of stream %s: %w", record.ErrUnavailable, p.stream, err)
		}
		return number, ack, nil
	}
}

// refusal says what JetStream's refusal means to the caller.
func refusal(e *jetstream.APIError) error {
	if e.ErrorCode == codeStoreFailed {
		return fmt.Errorf("%w: %s", record.ErrFull, e.Description)
	}
	return fmt.Errorf("%w: %s", record.ErrUnavailable, e.Description)
}
