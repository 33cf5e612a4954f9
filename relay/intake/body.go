package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"callrelay/relay/call"
	"callrelay/relay/limit"
)

// form is how a request holds its events.
type form int

const (
	asJSON  form = iota // an object or an array
	asLines             // newline-delimited JSON
)

// keptBuffer is the largest buffer that is kept for the next request, in bytes.
const keptBuffer = 1 << 20

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// problem is why one event of a request is refused.
type problem struct {
	index int // of the event in the request, from 0
	err   *call.Error
}

// formOf returns the form that the headers name.
func formOf(h http.Header) (form, error) {
	fail := func(format string, args ...any) (form, error) {
		return 0, &refusal{http.StatusUnsupportedMediaType, reasonMediaType, fmt.Sprintf(format, args...)}
	}
	if encoding := h.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return fail("Content-Encoding %q: want none", encoding)
	}
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return fail("charset %q: want utf-8", charset)
	}
	switch {
	case err == nil && media == "application/json":
		return asJSON, nil
	case err == nil && media == "application/x-ndjson":
		return asLines, nil
	}
	return fail("Content-Type %q: want application/json or application/x-ndjson", h.Get("Content-Type"))
}

// readBody reads a request of at most [MaxRequest] bytes into a buffer, which
// is to be released. Leave, which is never nil, is to be called when the request
// is answered.
func (s httpIntake) readBody(w http.ResponseWriter, r *http.Request) (body *bytes.Buffer, leave func(), err error) {
	leave = func() {}
	body = buffers.Get().(*bytes.Buffer)
	rest := http.MaxBytesReader(w, r.Body, MaxRequest)
	if _, err = io.CopyN(body, rest, smallRequest); err == nil { // there may be more
		if leave, err = s.reserve(r); err == nil {
			_, err = body.ReadFrom(rest)
		}
	}
	if err == nil || errors.Is(err, io.EOF) {
		return body, leave, nil
	}
	release(body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, leave, requestTooLarge("more than %d bytes in one request", MaxRequest)
	}
	if errors.Is(err, errShare) {
		return nil, leave, errShare
	}
	return nil, leave, &refusal{http.StatusBadRequest, reasonInvalid, "the request is cut off"}
}

// reserve takes the length of a request of its peer's share.
func (s httpIntake) reserve(r *http.Request) (leave func(), err error) {
	n := r.ContentLength
	if n < 0 || n > MaxRequest {
		n = MaxRequest
	}
	share := s.bytes.Of(limit.OfRequest(r).Peer)
	ctx, cancel := context.WithTimeout(r.Context(), shareTimeout)
	defer cancel()
	if share.Take(ctx, n) != nil {
		return func() {}, errShare
	}
	return func() { share.Give(n) }, nil
}

func release(body *bytes.Buffer) {
	if body.Cap() <= keptBuffer {
		body.Reset()
		buffers.Put(body)
	}
}

func requestTooLarge(format string, args ...any) error {
	return &refusal{http.StatusRequestEntityTooLarge, reasonTooLarge, fmt.Sprintf(format, args...)}
}

// collectAll decodes the events of a request. With an error nothing is to be
// accepted; the problems say which events are the reason.
func (s httpIntake) collectAll(f form, body []byte) (*batch, []problem, error) {
	events, last, err := split(f, body)
	if err != nil {
		return nil, nil, err
	}
	var problems []problem
	b, table := &batch{}, s.table()
	for i, event := range events {
		if err := s.collect(b, table, event, false); err != nil {
			e, ok := errors.AsType[*call.Error](err)
			if !ok {
				return nil, nil, err
			}
			problems = append(problems, problem{i, e})
		}
		if b.bytes > maxSplit {
			return nil, nil, requestTooLarge("more than %d bytes after splitting into segments", maxSplit)
		}
	}
	if last != nil {
		problems = append(problems, problem{len(events), last})
	}
	if len(problems) > 0 {
		return nil, problems, summary(problems, len(events) > 1)
	}
	return b, nil, nil
}

// summary is the error that stands for the problems of a request.
func summary(problems []problem, many bool) error {
	first := problems[0]
	text := first.err.Error()
	if many {
		text = fmt.Sprintf("event %d: %s", first.index, text)
	}
	if more := len(problems) - 1; more > 0 {
		text = fmt.Sprintf("%s (and %d more)", text, more)
	}
	r := &refusal{http.StatusBadRequest, reasonInvalid, text}
	for _, p := range problems {
		if p.err.TooLarge {
			r.status, r.reason = http.StatusRequestEntityTooLarge, reasonTooLarge
		}
	}
	return r
}

// split cuts a request into its events. Last is what is wrong after them.
func split(f form, body []byte) (events [][]byte, last *call.Error, err error) {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nil, &call.Error{Problem: "empty: want a JSON object"}, nil
	case f == asLines:
		events, err = splitLines(body)
		return events, nil, err
	case body[0] == '[':
		return splitArray(body)
	default:
		return [][]byte{body}, nil, nil
	}
}

func splitLines(body []byte) ([][]byte, error) {
	var events [][]byte
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(events) == MaxEvents {
			return nil, errTooMany()
		}
		events = append(events, line)
	}
	return events, nil
}

// splitArray cuts an array into its elements. Names that come twice and invalid
// UTF-8 are left to the decoding of each event, which names the place.
func splitArray(body []byte) (events [][]byte, last *call.Error, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	_, _ = dec.ReadToken() // the bracket
	for dec.PeekKind() != ']' {
		event, err := dec.ReadValue()
		if err != nil {
			return events, arrayProblem(err), nil
		}
		if len(events) == MaxEvents {
			return nil, nil, errTooMany()
		}
		end := int(dec.InputOffset())
		events = append(events, body[end-len(event):end])
	}
	_, _ = dec.ReadToken()
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return events, &call.Error{Problem: "more text after the array"}, nil
	}
	return events, nil, nil
}

func arrayProblem(err error) *call.Error {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &call.Error{Problem: fmt.Sprintf("not valid JSON: %v at byte %d of the request", e.Err, e.ByteOffset+1)}
	}
	return &call.Error{Problem: err.Error()}
}

func errTooMany() error {
	return requestTooLarge("more than %d events in one request", MaxEvents)
}

// appendProblems appends the problems as a JSON array.
func appendProblems(dst []byte, problems []problem) []byte {
	dst = append(dst, '[')
	for i, p := range problems {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"index":`...), int64(p.index), 10)
		dst = appendText(append(dst, `,"field":`...), p.err.Field)
		dst = appendText(append(dst, `,"problem":`...), p.err.Problem)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}
