package intake

import (
	"bufio"
	"io"
	"strconv"
	"sync"
)

// What one connection may send ahead of its answers. Whoever sends more waits
// until some are taken.
const (
	maxAhead      = 4000
	maxAheadBytes = 8 << 20
)

// answer is what a line is answered with.
type answer struct {
	batch batch
	err   error // why the line is refused
	done  bool  // the answer is settled
}

// outbox holds the answers of one connection in the order of its lines.
type outbox struct {
	mu      sync.Mutex
	room    sync.Cond // for another answer
	ready   sync.Cond // the first answer is settled, or there will be no more
	answers []*answer
	bytes   int  // of events that are not answered yet
	closed  bool // no answer is added any more
	broken  bool // no answer can be written any more
}

func newOutbox() *outbox {
	o := &outbox{}
	o.room.L, o.ready.L = &o.mu, &o.mu
	return o
}

// add puts an answer behind those before it, and waits while too many are not
// taken. It returns false when the peer takes none.
func (o *outbox) add(a *answer) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.broken && (len(o.answers) >= maxAhead || o.bytes >= maxAheadBytes) {
		o.room.Wait()
	}
	o.answers = append(o.answers, a)
	o.bytes += a.batch.bytes
	if a.done {
		o.ready.Signal()
	}
	return !o.broken
}

// settle gives an answer its outcome. It does not wait for the peer: it is
// called by the queue, which other connections share.
func (o *outbox) settle(a *answer, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a.err, a.done = err, true
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

// write writes the answers as they are settled, until the outbox is closed and
// empty or the peer takes no more. It flushes when no further answer is ready.
func (o *outbox) write(w io.Writer) {
	buf := bufio.NewWriterSize(w, readBuffer)
	var ready []*answer
	var line []byte
	for {
		if ready = o.take(ready[:0], false); len(ready) == 0 {
			if buf.Flush() != nil {
				break
			}
			if ready = o.take(ready, true); len(ready) == 0 {
				return
			}
		}
		for _, a := range ready {
			line = a.append(line[:0])
			_, _ = buf.Write(line) // Flush returns the error
		}
	}
	o.fail()
}

// take moves the settled answers at the front to dst. When told to wait, it
// returns none only when there will be no more.
func (o *outbox) take(dst []*answer, wait bool) []*answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	for wait && !o.settled() {
		o.ready.Wait()
	}
	n := 0
	for n < len(o.answers) && o.answers[n].done {
		o.bytes -= o.answers[n].batch.bytes
		n++
	}
	dst = append(dst, o.answers[:n]...)
	clear(o.answers[:n])
	o.answers = o.answers[n:]
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
	o.room.Signal()
}

// append appends the line that answers.
func (a *answer) append(dst []byte) []byte {
	if a.err != nil {
		return appendRefusal(dst, a.err)
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
