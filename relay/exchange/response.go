package exchange

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
)

// read reads an answer of any shape, the first n bytes of which came.
func (l *connection) read(n int, method string, limit int64) (reply Reply, alive bool, err error) {
	l.rest = io.LimitedReader{R: &first{l.in[:n], l.Conn}, N: maxHeaderBytes}
	if l.slow == nil {
		l.slow = bufio.NewReader(&l.rest)
	}
	l.slow.Reset(&l.rest)
	resp, status, err := readHead(l.slow, &http.Request{Method: method})
	if err != nil {
		if l.rest.N <= 0 {
			err = fmt.Errorf("its head is longer than %d bytes", maxHeaderBytes)
		}
		return Reply{Status: status}, false, fmt.Errorf("read answer: %w", err)
	}
	l.stopRefused(resp.StatusCode)
	l.rest.N = math.MaxInt64 // readAnswer has its own limit, without what chunks cost
	reply = Reply{Status: resp.StatusCode, Header: headersOf(resp.Header)}
	reply.Body, reply.Cut, err = readAnswer(resp, limit)
	if err != nil {
		err = fmt.Errorf("read answer with status %d: %w", reply.Status, err)
	}
	alive = err == nil && !reply.Cut && !resp.Close && resp.StatusCode >= http.StatusOK && l.slow.Buffered() == 0 && !contradicts(resp)
	return reply, alive, err
}

// contradicts reports whether an answer that has no body by its status says that
// it has one: it may follow, and would be taken for the next answer.
func contradicts(resp *http.Response) bool {
	bodiless := resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified
	return bodiless && (len(resp.TransferEncoding) > 0 || strings.Trim(resp.Header.Get("Content-Length"), "0") != "")
}

// readHead reads the head of an answer, passing over interim ones, however many
// the bytes allow. Of a head that cannot be read it returns the status.
func readHead(r *bufio.Reader, request *http.Request) (*http.Response, int, error) {
	for {
		begin, _ := r.Peek(len("HTTP/1.1 200"))
		_, code, _ := strings.Cut(string(begin), " ") // a copy: what is read next takes its place
		resp, err := http.ReadResponse(r, request)
		if err != nil {
			status, _ := plainStatus(code)
			return nil, status, err
		}
		interim := resp.StatusCode >= http.StatusContinue && resp.StatusCode < http.StatusOK
		if !interim || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, resp.StatusCode, nil
		}
	}
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
