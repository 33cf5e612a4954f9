package deliver

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
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

	mu   sync.Mutex
	last map[string]failedAt // by service
}

// failing is what a service last failed with, so that the same is not logged
// again until it changes, or comes back after it was over.
type failing struct {
	class  string
	status int
	reason string
}

// failedAt is a failure and when it was last seen.
type failedAt struct {
	failing
	at time.Time
}

// failureOver is how long a failure must not have been seen to be news again.
const failureOver = time.Hour

func newReporter(log *slog.Logger, m *metrics, j journal, n notices) *reporter {
	return &reporter{
		log: log, metrics: m, journal: j, notices: n,
		successes: rate.NewLimiter(loggedSuccesses, loggedSuccesses),
		last:      map[string]failedAt{},
	}
}

// record tells of an attempt that was made.
func (r *runner) record(ctx context.Context, d *delivery, v verdict, now time.Time, elapsed time.Duration) {
	end := now.Add(elapsed)
	r.stats.attempt(v, elapsed, end.Sub(d.accepted))
	r.meter.add(v, end, elapsed)
	if v.outcome != Delivered || r.tell.successes.AllowN(end, 1) {
		r.tell.journal.LogAttempt(r.name, v.outcome.String(), attemptRecord(d, v, now, elapsed))
	}
	switch {
	case v.outcome == Delivered && r.tell.log.Enabled(ctx, slog.LevelDebug):
		r.tell.write(ctx, slog.LevelDebug, "delivered", d, v, slog.Duration("elapsed", elapsed))
	case v.outcome == Retry && r.tell.news(r.name, failing{class: v.class, status: v.status}):
		r.tell.write(ctx, slog.LevelWarn, "attempt failed", d, v, slog.Duration("elapsed", elapsed))
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
	if t.news(d.record.Service, failing{reason: d.death.Reason, status: d.death.Status}) {
		t.write(ctx, slog.LevelError, "delivery dead", d, v, slog.String("reason", d.death.Reason))
	}
	t.notices.dead(*d.death, endpoint, d.record)
}

// news reports whether a service's failure is another than its last one, and
// remembers it.
func (t *reporter) news(service string, f failing) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	last := t.last[service]
	t.last[service] = failedAt{f, now}
	return last.failing != f || now.Sub(last.at) > failureOver
}

// forget drops what is known of a service that is no more.
func (t *reporter) forget(service string) {
	t.metrics.forget(service)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, service)
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
