package intake

import (
	"bufio"
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"callrelay/relay/limit"
)

// Of answers that are not taken.
const (
	maxAhead      = 4000             // of one connection; whoever sends more waits until some are taken
	answerBytes   = 512              // each, of what its peer may hold
	answerTimeout = 10 * time.Second // for a peer to take some
	takenAtOnce   = 256
)

// answer is what a line is answered with.
type answer struct {
	batch   batch
	refusal []byte // the line that refuses the event; nil: it is accepted
	done    bool   // the answer is settled
}

// held is what the answer takes of its peer's share, in bytes.
func (a *answer) held() int64 { return int64(answerBytes + a.batch.bytes) }

// outbox holds the answers of one connection in the order of its lines.
type outbox struct {
	ctx   context.Context
	share limit.Share

	mu      sync.Mutex
	room    sync.Cond // for another answer
	ready   sync.Cond // the first answer is settled, or there will be no more
	answers []*answer
	closed  bool // no answer is added any more
	broken  bool // no answer can be written any more
}

func newOutbox(ctx context.Context, share limit.Share) *outbox {
	o := &outbox{ctx: ctx, share: share}
	o.room.L, o.ready.L = &o.mu, &o.mu
	return o
}

// add puts an answer behind those before it, and waits while too many are not
// taken, or their peer holds too much. It returns false when the peer takes
// none, or the relay stops.
func (o *outbox) add(a *answer) bool {
	if o.share.Take(o.ctx, a.held()) != nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.broken && len(o.answers) >= maxAhead {
		o.room.Wait()
	}
	if o.broken {
		o.share.Give(a.held())
		return false
	}
	o.answers = append(o.answers, a)
	if a.done {
		o.ready.Signal()
	}
	return true
}

// settle gives an answer its outcome. It does not wait for the peer: it is
// called by the queue, which other connections share.
func (o *outbox) settle(a *answer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.done = true; o.broken {
		o.share.Give(a.held())
		return
	}
	if err != nil {
		a.refusal = appendRefusal(nil, err)
	}
	a.batch.records = nil
	if len(o.answers) > 0 && o.answers[0] == a {
		o.ready.Signal()
	}
}

// close says that no answer will be added.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.ready.Signal()
}

// writers are for as long as there is something to write.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, readBuffer) }}

// write writes the answers as they are settled, until the outbox is closed and
// empty or the peer takes no more. It flushes when no further answer is ready.
func (o *outbox) write(c net.Conn) {
	var line []byte
	for {
		ready := o.take(nil, true)
		if len(ready) == 0 {
			return
		}
		buf := writers.Get().(*bufio.Writer)
		buf.Reset(hasty{c})
		for ; len(ready) > 0; ready = o.take(ready[:0], false) {
			for _, a := range ready {
				line = a.append(line[:0])
				_, _ = buf.Write(line) // Flush returns the error
			}
		}
		err := buf.Flush()
		writers.Put(buf)
		if err != nil {
			o.fail()
			return
		}
	}
}

// hasty gives a peer some time for each write.
type hasty struct{ net.Conn }

func (h hasty) Write(p []byte) (int, error) {
	_ = h.SetWriteDeadline(time.Now().Add(answerTimeout))
	return h.Conn.Write(p)
}

// take moves some settled answers at the front to dst. With wait, it
// returns none only when there will be no more.
func (o *outbox) take(dst []*answer, wait bool) []*answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	for wait && !o.settled() {
		o.ready.Wait()
	}
	n := 0
	for n < min(len(o.answers), takenAtOnce) && o.answers[n].done {
		o.share.Give(o.answers[n].held())
		n++
	}
	dst = append(dst, o.answers[:n]...)
	clear(o.answers[:n])
	if o.answers = o.answers[n:]; len(o.answers) == 0 {
		o.answers = nil
	}
	if n > 0 {
		o.room.Signal()
	}
	return dst
}

// settled reports whether the first answer can be written, or there will be none.
func (o *outbox) settled() bool {
	if len(o.answers) == 0 {
		return o.closed
	}
	return o.answers[0].done
}

// fail says that the peer takes no more answers.
func (o *outbox) fail() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = true
	for _, a := range o.answers {
		if a.done { // the others are when they are settled
			o.share.Give(a.held())
		}
	}
	o.answers = nil
	o.room.Signal()
}

// append appends the line that answers.
func (a *answer) append(dst []byte) []byte {
	if a.refusal != nil {
		return append(dst, a.refusal...)
	}
	dst = append(dst, `{"accepted":true,"id":`...)
	dst = appendText(dst, a.batch.receipts[0].id)
	dst = append(dst, `,"ids":`...)
	dst = a.batch.appendIDs(dst)
	return append(dst, "}\n"...)
}

// appendAccepted appends the body that accepts a request.
func (b *batch) appendAccepted(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"accepted":`...), int64(len(b.receipts)), 10)
	dst = b.appendIDs(append(dst, `,"ids":`...))
	return append(dst, "}\n"...)
}

func (b *batch) appendIDs(dst []byte) []byte {
	dst = append(dst, '[')
	for i, r := range b.receipts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, r.id)
	}
	return append(dst, ']')
}
