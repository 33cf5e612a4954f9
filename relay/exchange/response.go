package exchange

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
)

// maxInterim is how many interim answers (1xx) may come before the real one.
const maxInterim = 5

// read reads an answer of any shape, the first n bytes of which came.
func (l *line) read(n int, method string, limit int64) (reply Reply, alive bool, err error) {
	l.rest = io.LimitedReader{R: &first{l.in[:n], l.Conn}, N: maxHeaderBytes}
	if l.slow == nil {
		l.slow = bufio.NewReader(&l.rest)
	}
	l.slow.Reset(&l.rest)
	resp, err := readHead(l.slow, &http.Request{Method: method})
	if err != nil {
		if l.rest.N <= 0 {
			err = fmt.Errorf("read answer: its head is longer than %d bytes", maxHeaderBytes)
		}
		return Reply{}, false, err
	}
	l.rest.N = math.MaxInt64 // readAnswer has its own limit, without what chunks cost
	reply = Reply{Status: resp.StatusCode, Header: headersOf(resp.Header)}
	reply.Body, reply.Cut, err = readAnswer(resp, limit)
	if err != nil {
		err = fmt.Errorf("read answer with status %d: %w", reply.Status, err)
	}
	alive = err == nil && !reply.Cut && !resp.Close && resp.StatusCode >= http.StatusOK && l.slow.Buffered() == 0
	return reply, alive, err
}

// readHead reads the head of an answer, passing over interim ones.
func readHead(r *bufio.Reader, request *http.Request) (*http.Response, error) {
	for range maxInterim + 1 {
		resp, err := http.ReadResponse(r, request)
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		if resp.StatusCode >= http.StatusOK || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
	return nil, fmt.Errorf("read answer: more than %d interim ones", maxInterim)
}

// first reads what came already, and then the rest.
type first struct {
	bytes []byte
	rest  io.Reader
}

// Read implements [io.Reader].
func (f *first) Read(p []byte) (int, error) {
	if len(f.bytes) == 0 {
		return f.rest.Read(p)
	}
	n := copy(p, f.bytes)
	f.bytes = f.bytes[n:]
	return n, nil
}
