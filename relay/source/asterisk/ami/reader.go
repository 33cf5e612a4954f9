package ami

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// Limits of one message. Asterisk's own events are a few kilobytes; only the
// headers that a dialplan adds to a UserEvent can be long.
const (
	MaxLine    = 64 << 10  // bytes
	MaxMessage = 256 << 10 // bytes
)

// ErrTooLarge is a message beyond [MaxLine] or [MaxMessage]. It was skipped,
// and the next one can be read.
var ErrTooLarge = errors.New("message too large")

// Reader reads messages. It is not safe for concurrent use.
type Reader struct {
	lines *bufio.Reader
}

// NewReader reads messages from r.
func NewReader(r io.Reader) *Reader {
	return &Reader{lines: bufio.NewReaderSize(r, MaxLine)}
}

// Next returns the next message. Lines without a colon, as the greeting is,
// are left out. The error is [ErrTooLarge] or that of the underlying reader; a
// message that the end cuts off is lost with it.
func (r *Reader) Next() (Message, error) {
	var m Message
	size, tooLarge := 0, false
	for {
		line, whole, err := r.line()
		if err != nil {
			return nil, err
		}
		size += len(line)
		switch {
		case whole && len(line) == 0 && tooLarge:
			return nil, ErrTooLarge
		case whole && len(line) == 0 && m != nil:
			return m, nil
		case !whole || size > MaxMessage:
			m, tooLarge = nil, true
		case !tooLarge:
			m = appendHeader(m, line)
		}
	}
}

// line returns the next line without its end. A longer one than [MaxLine] is
// read over and is not whole.
func (r *Reader) line() (line []byte, whole bool, err error) {
	whole = true
	for {
		line, err = r.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			whole = false
			continue
		}
		return bytes.TrimRight(line, "\r\n"), whole, err
	}
}

func appendHeader(m Message, line []byte) Message {
	name, value, ok := strings.Cut(string(line), ":")
	if !ok {
		return m
	}
	if m == nil {
		m = make(Message, 0, 32)
	}
	return append(m, Header{Name: name, Value: strings.TrimSpace(value)})
}
