package deliver

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"callrelay/relay/call"
	"callrelay/relay/exchange"
)

// tracer makes a span of each attempt, below the one that the event names as
// its traceparent. Its zero value makes none, and costs nothing.
type tracer struct{ trace.Tracer }

// span is the one of an attempt; its zero value is none.
type span struct{ trace.Span }

// begin begins the span of an attempt and has the request carry it, unless the
// service sends a traceparent of its own.
func (t tracer) begin(ctx context.Context, d *delivery, a *exchange.Attempt) (context.Context, span) {
	if t.Tracer == nil {
		return ctx, span{}
	}
	w3c := propagation.TraceContext{}
	ctx = w3c.Extract(ctx, members{d.event})
	ctx, s := t.Start(ctx, "deliver "+d.record.Service, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("relay.service", d.record.Service),
		attribute.String("relay.event", d.record.Event),
		attribute.String("relay.event_id", d.record.ID),
		attribute.String("relay.call", d.record.Call),
		attribute.Int("relay.attempt", a.Number),
		attribute.String("http.request.method", a.Method),
		attribute.String("server.address", a.URL.Host), // no more of it: the rest may hold secrets
	))
	if a.Header.Get("Traceparent") == "" {
		w3c.Inject(ctx, &a.Header)
	}
	return ctx, span{s}
}

// end records what the attempt came to. What went wrong must be fit to be shown.
func (s span) end(v *verdict) {
	if s.Span == nil {
		return
	}
	s.SetAttributes(attribute.String("relay.outcome", v.outcome.String()), attribute.String("relay.class", v.class))
	if v.status != 0 {
		s.SetAttributes(attribute.Int("http.response.status_code", v.status))
	}
	if v.outcome != Delivered {
		s.SetStatus(codes.Error, v.err)
	}
	s.End()
}

// members are those of an event as a carrier of a trace.
type members struct{ event *call.Event }

// Get implements [propagation.TextMapCarrier].
func (m members) Get(key string) string { return m.event.Lookup(key).Text }

// Set implements [propagation.TextMapCarrier]: an event is never changed.
func (members) Set(string, string) {}

// Keys implements [propagation.TextMapCarrier].
func (members) Keys() []string { return []string{"traceparent", "tracestate"} }
