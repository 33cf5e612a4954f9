package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"callrelay/relay/call"
)

// serveLines takes newline-delimited JSON and answers each line in its turn. It
// reads on while events are committed. It returns when the peer has ended or
// the relay stops, and every event taken is answered.
func (s *Server) serveLines(c *conn, r *bufio.Reader) {
	out := newOutbox()
	var writing sync.WaitGroup
	writing.Go(func() {
		out.write(c)
		_ = c.Close() // ends the reading too, should the peer be gone
	})
	lines := lineReader{r: r}
	for {
		line, err := lines.next(decodeOptions(s.table().Config, false).MaxEvent)
		if _, refused := errors.AsType[*call.Error](err); err != nil && !refused {
			break
		}
		if !s.takeLine(out, line, err) {
			break
		}
	}
	out.close()
	writing.Wait()
}

// takeLine takes one line, or refuses it when err says so. It returns false
// when there is nobody to answer any more.
func (s *Server) takeLine(out *outbox, line []byte, err error) bool {
	if len(line) == 0 && err == nil {
		return true // an empty line says nothing
	}
	a := &answer{err: err}
	if err == nil {
		a.err = s.collect(&a.batch, s.table(), line, false)
	}
	if a.err != nil {
		s.refuse(a.err)
		a.done = true
		return out.add(a)
	}
	if !out.add(a) {
		return false
	}
	s.commit(&a.batch, func(err error) {
		if err != nil {
			s.refuse(err)
		}
		out.settle(a, err)
	})
	return true
}

// lineReader reads lines of bounded length.
type lineReader struct {
	r    *bufio.Reader
	long []byte // a line that is longer than the reader's buffer
}

// next returns the next line without white space around it, valid until the
// following call. A longer one is skipped without being kept, with a
// [call.Error]; reading may go on. The last line needs no line feed, but what
// has come of a line when reading fails is not a line.
func (l *lineReader) next(limit int64) ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.collect(line, limit)
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return nil, err
	}
	if line = bytes.TrimSpace(line); int64(len(line)) > limit {
		return nil, &call.Error{Problem: fmt.Sprintf("the line is too long: at most %d bytes an event", limit), TooLarge: true}
	}
	return line, nil
}

// collect reads the rest of a line that begins with part. Of one that exceeds
// the limit it keeps only so much that it still does.
func (l *lineReader) collect(part []byte, limit int64) ([]byte, error) {
	l.long = append(l.long[:0], part...)
	for {
		part, err := l.r.ReadSlice('\n')
		if int64(len(l.long)) <= limit {
			l.long = append(l.long, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}
