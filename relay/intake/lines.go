package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/limit"
)

// readBuffer is how much is read from the socket at a time, in bytes.
const readBuffer = 8 << 10

// lineIntake takes events as lines, on the socket.
type lineIntake struct{ *Server }

// serveLines takes newline-delimited JSON and answers each line in its turn. It
// reads on while events are committed. It returns when the peer has ended or
// the relay stops, and every event taken is answered.
func (s lineIntake) serveLines(ctx context.Context, c *limit.Conn) {
	share := s.bytes.Of(c.Peer)
	out := newOutbox(ctx, share)
	var writing sync.WaitGroup
	writing.Go(func() {
		out.write(c)
		_ = c.Close() // ends the reading too, should the peer be gone
	})
	lines := newLineReader(ctx, c, share, &s.lines.stops)
	for {
		line, err := lines.next(decodeOptions(s.table().Config, false).MaxEvent)
		if _, refused := errors.AsType[*call.Error](err); err != nil && !refused {
			break
		}
		if !s.takeLine(c, out, line, err, lines.spent) {
			break
		}
	}
	lines.spent()
	out.close()
	writing.Wait()
}

// takeLine takes one line, or refuses it when err says so. It returns false
// when there is nobody to answer any more.
func (s lineIntake) takeLine(c *limit.Conn, out *outbox, line []byte, err error, spent func()) bool {
	if len(line) == 0 && err == nil {
		return true // an empty line says nothing
	}
	a := &answer{}
	if err == nil {
		err = s.collect(&a.batch, s.table(), line, false)
	}
	spent() // before room is wanted for the answer: who waits for it must hold nothing
	if err != nil {
		s.refuse(err)
		return out.add(&answer{refusal: appendRefusal(nil, err), done: true})
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
	long []byte // a line that is longer than the reader's buffer

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
	case l.r.Buffered() > 0 || len(l.long) > 0:
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

// spent gives back what a long line took. The line is not valid any more.
func (l *lineReader) spent() {
	if l.held > 0 {
		l.share.Give(l.held)
		l.held, l.long = 0, nil
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
	if line = bytes.TrimSpace(line); int64(len(line)) > most {
		return nil, &call.Error{Problem: fmt.Sprintf("the line is too long: at most %d bytes an event", most), TooLarge: true}
	}
	return line, nil
}

// collect reads the rest of a line that begins with part. Of one that exceeds
// the limit it keeps only so much that it still does.
func (l *lineReader) collect(part []byte, most int64) ([]byte, error) {
	l.held = most
	if err := l.share.Take(l.ctx, l.held); err != nil {
		l.held = 0
		return nil, err
	}
	l.long = append(l.long[:0], part...)
	for {
		part, err := l.r.ReadSlice('\n')
		if int64(len(l.long)) <= most {
			l.long = append(l.long, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}
