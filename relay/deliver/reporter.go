package deliver

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"callrelay/relay/limit"
	"callrelay/relay/repeat"
)

// loggedSuccesses bounds how many deliveries a second are put into ATTEMPTS;
// failures always are.
const loggedSuccesses = 500

// journal keeps records of attempts, best effort.
type journal interface {
	LogAttempt(service, outcome string, body []byte)
	LogDebug(service string, body []byte)
}

// reporter takes what runners report: to metrics, logs, the queue's
// records of attempts and the relay's own events. Safe for concurrent use.
type reporter struct {
	log       *slog.Logger
	metrics   *metrics
	journal   journal
	notices   notices
	successes *rate.Limiter
	tracer    tracer

	descriptors *limit.Descriptors
}

func newReporter(log *slog.Logger, m *metrics, j journal, n notices) *reporter {
	return &reporter{
		log: log, metrics: m, journal: j, notices: n,
		successes: rate.NewLimiter(loggedSuccesses, loggedSuccesses),
	}
}

// record reports an attempt that was made.
func (r turn) record(ctx context.Context, v verdict, now time.Time, elapsed time.Duration) {
	d := r.d
	end := now.Add(elapsed)
	r.stats.attempt(v, elapsed, end.Sub(d.accepted))
	r.meter.add(v, end, elapsed)
	if v.outcome != Delivered || r.reporter.successes.AllowN(end, 1) {
		r.reporter.journal.LogAttempt(r.name, v.outcome.String(), attemptRecord(d, v, now, elapsed))
	}
	switch {
	case v.outcome == Delivered && r.reporter.log.Enabled(ctx, slog.LevelDebug):
		r.reporter.write(ctx, slog.LevelDebug, "delivered", d, v, slog.Duration("elapsed", elapsed))
	case v.outcome == Retry:
		r.reporter.write(ctx, slog.LevelWarn, "attempt failed", d, v, slog.Duration("elapsed", elapsed), repeat.Key(r.name, v.class, v.status))
	}
}

// Attempt is one try at a delivery, as the queue keeps it and `relay tail` shows it.
type Attempt struct {
	Service string    `json:"service,omitempty"` // empty in the queue, whose subjects name it
	At      time.Time `json:"at"`
	ID      string    `json:"id"` // of the event
	Call    string    `json:"call"`
	Segment string    `json:"segment"`
	Number  int       `json:"attempt"` // from 1
	Outcome string    `json:"outcome"` // delivered, retry or dead
	Status  int       `json:"status,omitempty"`
	Class   string    `json:"class"`
	Elapsed float64   `json:"elapsed_ms"`
	Error   string    `json:"error,omitempty"`
}

func attemptRecord(d *delivery, v verdict, now time.Time, elapsed time.Duration) []byte {
	b, _ := json.Marshal(Attempt{
		At: now.UTC(), ID: d.record.ID, Call: d.record.Call, Segment: d.record.Segment, Number: d.attempts,
		Outcome: v.outcome.String(), Status: v.status, Class: v.class,
		Elapsed: float64(elapsed.Microseconds()) / 1000, Error: v.err,
	}) // no text is too strange for it
	return b
}

// transcript keeps an exchange whole.
func (t *reporter) transcript(x Exchange) {
	if data, err := json.Marshal(x); err == nil {
		t.journal.LogDebug(x.Service, data)
	}
}

// buried logs a dead letter and raises an event for it.
func (t *reporter) buried(ctx context.Context, d *delivery, endpoint string) {
	v := verdict{status: d.death.Status, err: d.death.Error}
	t.write(ctx, slog.LevelError, "delivery dead", d, v, slog.String("reason", d.death.Reason), repeat.Key(d.record.Service, d.death.Reason, d.death.Status))
	t.notices.dead(*d.death, endpoint, d.record)
}

func (t *reporter) write(ctx context.Context, level slog.Level, text string, d *delivery, v verdict, more ...slog.Attr) {
	attrs := append(d.logAttrs(), slog.Int("attempt", d.attempts))
	if v.status != 0 {
		attrs = append(attrs, slog.Int("status", v.status))
	}
	attrs = append(attrs, more...)
	if v.err != "" {
		attrs = append(attrs, slog.String("err", v.err))
	}
	t.log.LogAttrs(ctx, level, text, attrs...)
}
