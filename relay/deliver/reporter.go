package deliver

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
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

// reporter is where runners tell what they did: metrics, logs, the queue's
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

// record tells of an attempt that was made.
func (r turn) record(ctx context.Context, v verdict, now time.Time, elapsed time.Duration) {
	d := r.d
	end := now.Add(elapsed)
	r.stats.attempt(v, elapsed, end.Sub(d.accepted))
	r.meter.add(v, end, elapsed)
	if v.outcome != Delivered || r.tell.successes.AllowN(end, 1) {
		r.tell.journal.LogAttempt(r.name, v.outcome.String(), attemptRecord(d, v, now, elapsed))
	}
	switch {
	case v.outcome == Delivered && r.tell.log.Enabled(ctx, slog.LevelDebug):
		r.tell.write(ctx, slog.LevelDebug, "delivered", d, v, slog.Duration("elapsed", elapsed))
	case v.outcome == Retry:
		r.tell.write(ctx, slog.LevelWarn, "attempt failed", d, v, slog.Duration("elapsed", elapsed), repeat.Key(r.name, v.class, v.status))
	}
}

// attemptRecord is an attempt as `relay tail` shows it, in JSON.
func attemptRecord(d *delivery, v verdict, now time.Time, elapsed time.Duration) []byte {
	b := make([]byte, 0, 320)
	b = append(b, `{"at":"`...)
	b = now.UTC().AppendFormat(b, time.RFC3339Nano)
	b = appendMember(b, `","id":`, d.record.ID)
	b = appendMember(b, `,"call":`, d.record.Call)
	b = appendMember(b, `,"segment":`, d.record.Segment)
	b = append(b, `,"attempt":`...)
	b = strconv.AppendInt(b, int64(d.attempts), 10)
	b = appendMember(b, `,"outcome":`, v.outcome.String())
	if v.status != 0 {
		b = append(b, `,"status":`...)
		b = strconv.AppendInt(b, int64(v.status), 10)
	}
	b = appendMember(b, `,"class":`, v.class)
	b = append(b, `,"elapsed_ms":`...)
	b = strconv.AppendFloat(b, float64(elapsed)/float64(time.Millisecond), 'f', 3, 64)
	if v.err != "" {
		b = appendMember(b, `,"error":`, v.err)
	}
	return append(b, '}')
}

func appendMember(b []byte, name, value string) []byte {
	b = append(b, name...)
	quoted, _ := json.Marshal(value) // a string always can be
	return append(b, quoted...)
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

// forget drops what is known of a service that is no more.
func (t *reporter) forget(service string) {
	t.metrics.forget(service)
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
