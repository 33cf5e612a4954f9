package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	maxSingles         = 8     // up to this many records go one by one: cheaper than a batch
	codeBatchDuplicate = 10201 // one known id in a batch refuses the whole batch
)

// quorum is the writer of a cluster: a record is stored when most of its servers
// have it, and JetStream knows the ids of the window. Several relays write to
// the same stream.
type quorum struct {
	eng    *engine
	stream string
	sub    *nats.Subscription
	inbox  string
	strict bool   // a record that cannot be stored now fails those with it, so that all go another way in order
	number uint64 // of the next request; replies to earlier ones are stale
}

func newQuorum(eng *engine, stream string, strict bool) (*quorum, error) {
	inbox := eng.pub.NewInbox()
	sub, err := eng.pub.SubscribeSync(inbox + ".*")
	if err != nil {
		return nil, fmt.Errorf("subscribe to acknowledgements: %w", err)
	}
	return &quorum{eng: eng, stream: stream, sub: sub, inbox: inbox, strict: strict}, nil
}

// write stores the drafts. While nobody leads the stream they are refused:
// what was stored of them nevertheless is known when they are sent again.
func (w *quorum) write(drafts []draft) error {
	var err error
	if len(drafts) <= maxSingles {
		err = w.singles(drafts)
	} else {
		err = w.batch(drafts)
	}
	if w.strict {
		return errors.Join(err, unavailable(drafts))
	}
	if !errors.Is(err, errNoStream) {
		return err
	}
	for i := range drafts {
		drafts[i].seq, drafts[i].group.err = 0, err
	}
	return nil
}

// unavailable is the reason for which one of the drafts was not stored, if it may
// be stored later.
func unavailable(drafts []draft) error {
	for i := range drafts {
		if err := drafts[i].group.err; errors.Is(err, ErrUnavailable) {
			return err
		}
	}
	return nil
}

// singles writes the drafts one by one, all on their way at once. A refused one
// sets the error of its group. An error means that an acknowledgement is
// missing.
func (w *quorum) singles(drafts []draft) error {
	first := w.number
	for i := range drafts {
		if err := w.send(&drafts[i], w.reply(), "", 0, false); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(commitTimeout)
	for range drafts {
		number, ack, err := w.await(first, deadline)
		if err != nil {
			return err
		}
		d := &drafts[number-first]
		d.seq, d.known = ack.Seq, ack.Duplicate
		if ack.Error != nil {
			d.group.err = refusal(ack.Error)
		}
	}
	return nil
}

// batch writes the drafts as one atomic batch: all are stored, with one fsync,
// or none.
func (w *quorum) batch(drafts []draft) error {
	first, last := w.number, len(drafts)-1
	id := strconv.FormatUint(uint64(time.Now().UnixNano()), 36)
	for i := range drafts {
		reply := ""
		if i == last {
			reply = w.reply()
		}
		if err := w.send(&drafts[i], reply, id, i+1, i == last); err != nil {
			return err
		}
	}
	_, ack, err := w.await(first, time.Now().Add(commitTimeout))
	switch {
	case err != nil:
		return err
	case ack.Error == nil:
		for i := range drafts { // a batch is stored in one piece
			drafts[i].seq = ack.Seq - uint64(last-i)
		}
	case ack.Error.ErrorCode == codeBatchDuplicate:
		return w.oneByOne(drafts)
	default:
		for i := range drafts {
			drafts[i].group.err = refusal(ack.Error)
		}
	}
	return nil
}

// oneByOne writes a batch that holds a record JetStream knows. Singly a known
// one is acknowledged like a new one.
func (w *quorum) oneByOne(drafts []draft) error {
	for len(drafts) > 0 {
		part := drafts[:min(len(drafts), maxSingles)]
		if err := w.singles(part); err != nil {
			return err
		}
		drafts = drafts[len(part):]
	}
	return nil
}

// reply returns the subject on which the next request is answered.
func (w *quorum) reply() string {
	w.number++
	return w.inbox + "." + strconv.FormatUint(w.number-1, 10)
}

// send writes one record without waiting.
func (w *quorum) send(d *draft, reply, batch string, seq int, last bool) error {
	r, n, h := d.record(), d.note(), nats.Header{}
	r.setHeaders(h)
	for i := 0; i < len(n); i += 2 {
		set(h, n[i], n[i+1])
	}
	set(h, headMsgID, d.key())
	if batch != "" {
		set(h, "Nats-Batch-Id", batch)
		set(h, "Nats-Batch-Sequence", strconv.Itoa(seq))
	}
	if last {
		set(h, "Nats-Batch-Commit", "1")
	}
	m := &nats.Msg{Subject: w.eng.subject(subject(w.stream, r, n)), Reply: reply, Header: h, Data: r.Body}
	if err := w.eng.pub.PublishMsg(m); err != nil {
		return fmt.Errorf("%w: write to stream %s: %w", ErrUnavailable, w.stream, err)
	}
	return nil
}

// await returns the next acknowledgement of a request numbered first or later.
func (w *quorum) await(first uint64, deadline time.Time) (uint64, pubAck, error) {
	for {
		var ack pubAck
		m, err := w.sub.NextMsg(time.Until(deadline))
		if err != nil {
			return 0, ack, fmt.Errorf("%w: no acknowledgement from stream %s: %w", ErrUnavailable, w.stream, err)
		}
		number, err := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64)
		if err != nil || number < first {
			continue
		}
		if len(m.Data) == 0 {
			return number, ack, fmt.Errorf("%w: %w", ErrUnavailable, errNoStream)
		}
		if err := json.Unmarshal(m.Data, &ack); err != nil {
			return 0, ack, fmt.Errorf("%w: acknowledgement of stream %s: %w", ErrUnavailable, w.stream, err)
		}
		return number, ack, nil
	}
}
