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
	held    int64  // bytes of its peer's share
}

// outbox holds the answers of one connection in the order of its lines. They are
// written by a goroutine that is there while the first of them is settled.
type outbox struct {
	ctx   context.Context
	conn  net.Conn
	share limit.Share

	mu      sync.Mutex
	changed sync.Cond // some were written, or none can be any more
	answers []*answer
	writing bool
	broken  bool // no answer can be written any more
}

func newOutbox(ctx context.Context, c net.Conn, share limit.Share) *outbox {
	o := &outbox{ctx: ctx, conn: c, share: share}
	o.changed.L = &o.mu
	return o
}

// add puts an answer behind those before it, and waits while too many are not
// taken, or their peer holds too much. It returns false when the peer takes
// none, or the relay stops.
func (o *outbox) add(a *answer) bool {
	if !o.fit(a) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.broken && len(o.answers) >= maxAhead {
		o.changed.Wait()
	}
	if o.broken {
		o.share.Give(a.held)
		return false
	}
	o.answers = append(o.answers, a)
	o.begin()
	return true
}

// fit makes what an answer holds what it takes, which may be more than its line
// did. All is given back before more is wanted: those who wait hold nothing.
func (o *outbox) fit(a *answer) bool {
	want := int64(answerBytes + a.batch.bytes)
	if want <= a.held {
		o.share.Shrink(a.held, want)
		a.held = want
		return true
	}
	o.share.Give(a.held)
	a.held = want
	return o.share.Take(o.ctx, want) == nil
}

// settle gives an answer its outcome. It does not wait for the peer: it is
// called by the queue, which other connections share.
func (o *outbox) settle(a *answer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.done = true; o.broken {
		o.share.Give(a.held)
		return
	}
	if err != nil {
		a.refusal = appendRefusal(nil, err)
	}
	a.batch.records = nil
	o.begin()
}

// begin starts to write when the first answer is settled; o.mu is held.
func (o *outbox) begin() {
	if !o.writing && len(o.answers) > 0 && o.answers[0].done {
		o.writing = true
		go o.write()
	}
}

// finish returns when all answers are written, or none can be any more.
func (o *outbox) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.writing || len(o.answers) > 0 {
		o.changed.Wait()
	}
}

// writers are for as long as there is something to write.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, readBuffer) }}

// write writes the answers that are settled. It ends the connection when the
// peer takes none.
func (o *outbox) write() {
	buf := writers.Get().(*bufio.Writer)
	defer writers.Put(buf)
	buf.Reset(hasty{o.conn})
	var line []byte
	for ready := o.take(nil, false); len(ready) > 0; {
		for _, a := range ready {
			line = a.append(line[:0])
			_, _ = buf.Write(line) // Flush returns the error
		}
		if ready = o.take(ready[:0], false); len(ready) > 0 {
			continue
		}
		if buf.Flush() != nil {
			o.fail()
			_ = o.conn.Close() // ends the reading too
			return
		}
		ready = o.take(ready, true)
	}
}

// hasty gives a peer some time for each write.
type hasty struct{ net.Conn }

func (h hasty) Write(p []byte) (int, error) {
	_ = h.SetWriteDeadline(time.Now().Add(answerTimeout))
	return h.Conn.Write(p)
}

// take moves some settled answers at the front to dst. When there are none and
// last is true, nothing is being written any more.
func (o *outbox) take(dst []*answer, last bool) []*answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for n < min(len(o.answers), takenAtOnce) && o.answers[n].done {
		o.share.Give(o.answers[n].held)
		n++
	}
	dst = append(dst, o.answers[:n]...)
	clear(o.answers[:n])
	if o.answers = o.answers[n:]; len(o.answers) == 0 {
		o.answers = nil
	}
	o.writing = n > 0 || !last
	o.changed.Signal()
	return dst
}

// fail says that the peer takes no more answers.
func (o *outbox) fail() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken, o.writing = true, false
	for _, a := range o.answers {
		if a.done { // the others are when they are settled
			o.share.Give(a.held)
		}
	}
	o.answers = nil
	o.changed.Signal()
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
