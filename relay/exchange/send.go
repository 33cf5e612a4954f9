package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// A Sender makes one attempt and returns the endpoint's answer. A nil error
// means that the endpoint answered in full, with whatever status; an error
// means that no whole answer was read: the reply holds what was, its status
// first. After [ErrRetired] nothing was sent. Implementations are safe for
// concurrent use.
type Sender interface {
	Send(ctx context.Context, a *Attempt) (Reply, error)
}

// SenderFunc lets an ordinary function be a [Sender].
type SenderFunc func(ctx context.Context, a *Attempt) (Reply, error)

// Send calls f.
func (f SenderFunc) Send(ctx context.Context, a *Attempt) (Reply, error) { return f(ctx, a) }

// Attempt is one try at a delivery, ready to be sent.
type Attempt struct {
	ID     string // of the event; the same for every attempt
	Number int    // 1 for the first
	Method string
	URL    *url.URL // not changed: attempts share it
	Host   string   // of the Host header, where it is not the URL's
	Header Headers  // owned by the attempt; a sender may add to it
	Body   []byte   // what of the body is in memory
	Files  []Insert // the rest of it, in order; each is read anew when the body is written again

	Deadline time.Time     // when the answer must have been read; zero: the context's
	Idle     time.Duration // of an upload: how long connecting may take, and then no byte of it move; 0: Deadline counts
}

// within is ctx with the attempt's deadline, or for as long as a step of an upload
// may take.
func (a *Attempt) within(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case a.Idle > 0:
		return context.WithTimeout(ctx, a.Idle)
	case a.Deadline.IsZero():
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, a.Deadline)
}

// deadline is the earlier one of the attempt's and ctx's; zero: there is none.
func (a *Attempt) deadline(ctx context.Context) time.Time {
	at, ok := ctx.Deadline()
	if !ok || !a.Deadline.IsZero() && a.Deadline.Before(at) {
		return a.Deadline
	}
	return at
}

// Reply is what the endpoint answered.
type Reply struct {
	Status int
	Header Headers
	Body   []byte // as far as it was read
	Cut    bool   // there was more than is read of an answer
	Held   bool   // whatever the status, it speaks of the credentials, the clock or the connection
}

// HTTPSender is the [Sender] of services with a proxy. Safe for concurrent use.
type HTTPSender struct {
	Transport   http.RoundTripper
	MaxResponse int64 // bytes read of an answer's body

	pace    *rate.Limiter // of uploads; nil: none
	renewed atomic.Int64  // when its connections began, in seconds; 0: none did
}

// Send makes the exchange under the attempt's deadline, from connecting to the
// last byte. It follows no redirect: what was asked is what was answered.
func (s *HTTPSender) Send(ctx context.Context, a *Attempt) (Reply, error) {
	defer s.age(time.Now())
	if a.Idle > 0 {
		return s.upload(ctx, a)
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	return s.exchange(a.request(ctx))
}

func (s *HTTPSender) exchange(r *http.Request) (Reply, error) {
	resp, err := s.Transport.RoundTrip(r)
	if err != nil {
		return Reply{}, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	reply := Reply{Status: resp.StatusCode, Header: headersOf(resp.Header)}
	reply.Body, reply.Cut, err = readAnswer(resp, s.MaxResponse)
	if err != nil {
		return reply, fmt.Errorf("read answer with status %d: %w", reply.Status, err)
	}
	return reply, nil
}

// upload makes the exchange of an attempt with files, as long as its bytes move.
func (s *HTTPSender) upload(ctx context.Context, a *Attempt) (Reply, error) {
	var p pulse
	var fault atomic.Pointer[FileError]
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer p.feel(a.Idle, cancel)()
	r := a.request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { p.follow(c.Conn) },
	}))
	r.ContentLength = a.Length()
	r.GetBody = func() (io.ReadCloser, error) {
		body := &bodyReader{ctx: ctx, a: a, pace: s.pace, sent: &p.sent, fault: &fault}
		body.rewind()
		return body, nil
	}
	r.Body, _ = r.GetBody()
	reply, err := s.exchange(r)
	switch faulty := fault.Load(); {
	case err != nil && faulty != nil:
		return Reply{}, faulty
	case err != nil && p.stalled.Load():
		return reply, os.ErrDeadlineExceeded
	}
	return reply, err
}

// age closes what is idle once in a while, so that connections that are in use
// all the time do not last for ever.
func (s *HTTPSender) age(now time.Time) {
	began := s.renewed.Load()
	if now.Unix()-began < int64(connAge.Seconds()) || !s.renewed.CompareAndSwap(began, now.Unix()) || began == 0 {
		return
	}
	s.closeIdle()
}

func (s *HTTPSender) closeIdle() {
	if t, ok := s.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func (a *Attempt) request(ctx context.Context) *http.Request {
	r := new(http.Request).WithContext(ctx)
	r.Method, r.URL, r.Host = a.Method, a.URL, a.Host
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	r.Header = a.Header.standard()
	if _, set := r.Header["X-Idempotency-Key"]; !set {
		r.Header["X-Idempotency-Key"] = nil // is not sent: it has net/http try again what a reused connection ended
	}
	r.ContentLength = int64(len(a.Body))
	if len(a.Body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(a.Body))
		r.GetBody = func() (io.ReadCloser, error) { // for a kept connection that turns out closed
			return io.NopCloser(bytes.NewReader(a.Body)), nil
		}
	}
	return r
}

// readAnswer reads a body to its end, so that the connection can be used again,
// or to the limit, after which it cannot.
func readAnswer(resp *http.Response, limit int64) (body []byte, cut bool, err error) {
	if resp.ContentLength == 0 {
		return nil, false, nil
	}
	if resp.ContentLength > 0 && resp.ContentLength <= limit {
		body = make([]byte, resp.ContentLength)
		n, err := io.ReadFull(resp.Body, body)
		return body[:n], false, err
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if int64(len(body)) > limit {
		return body[:limit], true, nil
	}
	return body, false, err
}

// withoutURL drops the URL that net/http puts in an error: it may carry
// credentials, and errors end up in logs.
func withoutURL(err error) error {
	if uerr, ok := errors.AsType[*url.Error](err); ok {
		return uerr.Err
	}
	return err
}
