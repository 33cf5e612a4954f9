package deliver

import (
	"context"
	"fmt"
	"time"

	"callrelay/relay/call"
	"callrelay/relay/route"
	"callrelay/render"
)

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
	t := tags{event: e, service: s, recordings: recordings, attempt: 1, now: now}
	req, steps, err := s.Template.Trace(t.value, now)
	if err != nil {
		return Preview{Steps: steps}, err
	}
	a, err := setup.attempt(req, e.ID, 1, now)
	if err != nil {
		return Preview{Steps: steps}, err
	}
	hide := append(tokens(a), req.Mask...)
	return Preview{Steps: steps, Request: ExchangeRequest{
		Method: a.Method, URL: setup.mask.credentials(a.URL.String(), hide...),
		Headers: setup.mask.headers(a.Header, hide...),
		Body:    setup.mask.credentials(string(a.Body), hide...),
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
	v, reply, elapsed := s.exchange(ctx, a, now)
	return s.transcript(a, wsse, reply, v, now, elapsed), nil
}
