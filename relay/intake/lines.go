package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/limit"
)

// readBuffer is how much is read from the socket at a time, in bytes.
const readBuffer = 4 << 10

// lineIntake takes events as lines, on the socket.
type lineIntake struct{ *Server }

// serveLines takes newline-delimited JSON and answers each line in its turn. It
// reads on while events are committed. It returns when the peer has ended or
// the relay stops, and every event taken is answered.
func (s lineIntake) serveLines(ctx context.Context, c *limit.Conn) {
	share := s.bytes.Of(c.Peer)
	out := newOutbox(ctx, c, share)
	lines := newLineReader(ctx, c, share, &s.lines.stops)
	for {
		line, err := lines.next(decodeOptions(s.table().Config, false).MaxEvent)
		if _, refused := errors.AsType[*call.Error](err); err != nil && !refused {
			break
		}
		if len(line) == 0 && err == nil {
			continue // an empty line says nothing
		}
		if !s.takeLine(c, out, lines, line, err) {
			break
		}
	}
	lines.spent()
	out.finish()
}

// takeLine takes one line, or refuses it when err says so. It returns false
// when there is nobody to answer any more. Room for the answer is taken before
// the event is decoded: a peer that takes no answers waits with its line alone.
func (s lineIntake) takeLine(c *limit.Conn, out *outbox, lines *lineReader, line []byte, err error) bool {
	a := &answer{held: int64(answerBytes + len(line))}
	if lines.leave(a.held) != nil {
		return false
	}
	if err == nil {
		err = s.collect(&a.batch, s.table(), line, false)
	}
	lines.spent()
	if err != nil {
		s.refuse(err)
		a.refusal, a.done = appendRefusal(nil, err), true
		return out.add(a)
	}
	if !out.add(a) {
		return false
	}
	s.commit(&a.batch, func(err error) {
		if err != nil {
			s.refuse(err)
		} else {
			c.Prove()
		}
		out.settle(a, err)
	})
	return true
}

// lineReader reads lines of bounded length.
type lineReader struct {
	r    *bufio.Reader
	long *bytes.Buffer // a line that is longer than the reader's buffer; nil: there is none

	ctx   context.Context // of the server: none is waited for after its end
	conn  *limit.Conn
	share limit.Share
	stops *atomic.Bool
	held  int64     // bytes of the share
	until time.Time // when the line under way must have come; zero: there is none
}

func newLineReader(ctx context.Context, c *limit.Conn, share limit.Share, stops *atomic.Bool) *lineReader {
	l := &lineReader{ctx: ctx, conn: c, share: share, stops: stops}
	l.r = bufio.NewReaderSize(l, readBuffer)
	return l
}

// Read waits for the peer: a minute for the rest of a line, [limit.Silence] for
// the first that is taken, and without end for the next.
func (l *lineReader) Read(p []byte) (int, error) {
	var deadline time.Time
	switch {
	case l.r.Buffered() > 0 || l.long != nil:
		if l.until.IsZero() {
			l.until = time.Now().Add(requestTimeout)
		}
		deadline = l.until
	case !l.conn.Proven():
		deadline = time.Now().Add(limit.Silence)
	}
	_ = l.conn.SetReadDeadline(deadline)
	if l.stops.Load() {
		_ = l.conn.SetReadDeadline(longAgo)
	}
	return l.conn.Read(p)
}

// leave makes the bytes that a long line took into n, or takes them for a short
// one. They are for the caller to give back.
func (l *lineReader) leave(n int64) error {
	if l.held == 0 {
		return l.share.Take(l.ctx, n)
	}
	l.share.Shrink(l.held, n)
	l.held = 0
	return nil
}

// spent gives back what a long line took. The line is not valid any more.
func (l *lineReader) spent() {
	if l.long != nil {
		release(l.long)
		l.long = nil
	}
	if l.held > 0 {
		l.share.Give(l.held)
		l.held = 0
	}
}

// next returns the next line without white space around it, valid until the
// following call. A longer one is skipped without being kept, with a
// [call.Error]; reading may go on. The last line needs no line feed, but what
// has come of a line when reading fails is not a line.
func (l *lineReader) next(most int64) ([]byte, error) {
	l.spent()
	l.until = time.Time{}
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.collect(line, most)
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	if line = bytes.Trim(line, blanks); int64(len(line)) > most {
		return nil, &call.Error{Problem: fmt.Sprintf("the line is too long: at most %d bytes an event", most), TooLarge: true}
	}
	return line, nil
}

// blanks is what JSON may have around it.
const blanks = " \t\r\n"

// collect reads the rest of a line that begins with part. Of one that exceeds
// the limit it keeps only so much that it still does. Blanks in front and at the
// end count nothing, and are not kept.
func (l *lineReader) collect(part []byte, most int64) ([]byte, error) {
	l.held = most + answerBytes // for its answer, too
	if err := l.share.Take(l.ctx, l.held); err != nil {
		l.held = 0
		return nil, err
	}
	l.long = buffers.Get().(*bytes.Buffer)
	_, _ = l.long.Write(bytes.TrimLeft(part, blanks))
	for over := false; ; {
		part, err := l.r.ReadSlice('\n')
		if l.long.Len() == 0 {
			part = bytes.TrimLeft(part, blanks)
		}
		if full := int64(l.long.Len()) > most; !full || !over && len(bytes.Trim(part, blanks)) > 0 {
			_, _ = l.long.Write(part)
			over = full
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long.Bytes(), err
		}
	}
}
