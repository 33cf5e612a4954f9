package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// traceTimeout is how long the last spans may take when the relay stops.
const traceTimeout = 2 * time.Second

// openTraces has a span made of each attempt, and sent to the collector that
// the environment names in the usual variables of OpenTelemetry. Without one
// nothing is traced.
func (p builder) openTraces(ctx context.Context) error {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "relay"), attribute.String("service.version", p.version)), resource.WithFromEnv())
	if err != nil {
		return fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { p.log.Warn("traces not sent", "err", err) }))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	p.tracer = provider.Tracer("callrelay")
	p.onClose("traces", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), traceTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			p.log.Warn("traces not sent", "err", err)
		}
		return nil
	})
	return nil
}
