package deliver

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/route"
	"callrelay/render"

	"callrelay/relay/exchange"
)

// maxTranscript is how much of each body a transcript keeps, in bytes.
const maxTranscript = 64 << 10

// Exchange is one attempt in full, with secrets masked: what DEBUG keeps, and
// what `relay test` shows.
type Exchange struct {
	At       time.Time         `json:"at"`
	Service  string            `json:"service"`
	ID       string            `json:"id"`
	Attempt  int               `json:"attempt"`
	Request  ExchangeRequest   `json:"request"`
	Response *ExchangeResponse `json:"response"` // nil: there was no answer
	Elapsed  string            `json:"elapsed"`  // a Go duration
	Seconds  float64           `json:"seconds"`  // the same
	Outcome  string            `json:"outcome"`  // delivered, retry or dead
	Class    string            `json:"class"`
	Error    string            `json:"error"`
}

// ExchangeRequest is what was sent.
type ExchangeRequest struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body"`
}

// ExchangeResponse is what came back, as far as it was read.
type ExchangeResponse struct {
	Status  int         `json:"status"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body"`
}

// transcript writes an exchange down. Secrets are masked before bodies are cut,
// so that none is left in part.
func (s *setup) transcript(a *exchange.Attempt, wsse []string, reply exchange.Reply, v verdict, at time.Time, elapsed time.Duration) Exchange {
	hide := append(tokens(a), wsse...)
	x := Exchange{
		At: at.UTC(), Service: s.service.Name, ID: a.ID, Attempt: a.Number,
		Elapsed: elapsed.Round(time.Microsecond).String(), Seconds: elapsed.Seconds(),
		Outcome: v.outcome.String(), Class: v.class, Error: exchange.Clip(s.mask.text(v.err, hide...)),
		Request: ExchangeRequest{
			Method: a.Method, URL: s.mask.text(a.URL.String(), hide...),
			Headers: s.mask.headers(a.Header, hide...), Body: s.shownBody(a.Body, a.Files, hide),
		},
	}
	if reply.Status != 0 {
		x.Response = &ExchangeResponse{
			Status: reply.Status, Headers: s.mask.headers(reply.Header, hide...),
			Body: s.shownBody(reply.Body, nil, hide),
		}
	}
	return x
}

// shownBody is a body as it may be shown, with the facts of files in their place.
func (s *setup) shownBody(body []byte, files []exchange.Insert, hide []string) string {
	text := s.mask.text(strings.ToValidUTF8(exchange.Shown(body, files), "\uFFFD"), hide...)
	if len(text) > maxTranscript {
		text = strings.ToValidUTF8(text[:maxTranscript], "") + " … (cut)"
	}
	return text
}

// Preview is the attempt that would be made for an event, but for credentials,
// which are masked.
type Preview struct {
	Request ExchangeRequest `json:"request"`
	Steps   []render.Step   `json:"steps"` // what each tag became, in order
}

// NewPreview renders an event for a service as its first attempt would be now,
// and calls nobody. Recordings may be nil. The error is a [*render.Error], with
// the steps up to the tag that failed.
func NewPreview(s *route.Service, e *call.Event, recordings Recordings, version string) (Preview, error) {
	if recordings == nil {
		recordings = noRecordings{}
	}
	setup := newSetup(s, environment{recordings: recordings, userAgent: "relay/" + version}, nil)
	now := time.Now()
	t := tags{event: e, service: s, recordings: recordings, attempt: 1, now: now, preview: true}
	req, steps, err := s.Template.Trace(t.value, now)
	if err != nil {
		return Preview{Steps: steps}, err
	}
	a, err := setup.attempt(req, nil, e.ID, 1, now)
	if err != nil {
		return Preview{Steps: steps}, err
	}
	hide := append(tokens(a), req.Mask...)
	return Preview{Steps: steps, Request: ExchangeRequest{
		Method: a.Method, URL: setup.mask.credentials(a.URL.String(), hide...),
		Headers: setup.mask.headers(a.Header, hide...),
		Body:    setup.mask.credentials(exchange.Shown(a.Body, t.inserts(req.Files)), hide...),
	}}, nil
}

// Preview is [NewPreview] with what the deliverer works with.
func (d *Deliverer) Preview(s *route.Service, e *call.Event) (Preview, error) {
	return NewPreview(s, e, d.options.Recordings, d.options.Version)
}

// Test makes one attempt at a service now and returns it in full, with secrets
// masked. The attempt is outside the queue: nothing is owed, counted or retried,
// and neither breaker nor rate are asked. An error means that no attempt could
// be made; one that failed is in the exchange.
func (d *Deliverer) Test(ctx context.Context, service string, e *call.Event) (Exchange, error) {
	r := d.runner(service)
	if r == nil {
		return Exchange{}, fmt.Errorf("test %s: the service is not configured", service)
	}
	s, now := r.setup.Load(), time.Now()
	a, wsse, err := s.prepare(e, 1, now)
	if err != nil {
		return Exchange{}, fmt.Errorf("test %s: %w", service, err)
	}
	defer a.Close()
	v, reply, elapsed := s.exchange(ctx, a, now)
	return s.transcript(a, wsse, reply, v, now, elapsed), nil
}
