package deliver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"callrelay/config"
	"callrelay/relay/exchange"
)

// defaults are the statuses of a service that says nothing of them.
func defaults(t testing.TB, soap bool) judgement {
	t.Helper()
	s := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/", "")).Service("crm")
	j := newJudgement(&s.Service)
	j.soap = soap
	return j
}

func TestJudgeOfStatuses(t *testing.T) {
	j := defaults(t, false)
	for _, test := range []struct {
		name   string
		status int
		class  string
		want   Outcome
	}{
		{"ok", 200, "2xx", Delivered},
		{"accepted without a body", 204, "2xx", Delivered},
		{"a redirect is not followed into success", 302, "3xx", Retry},
		{"a payload that is refused is refused again", 400, "4xx", Dead},
		{"wrong credentials hold what waits", 401, "4xx", Retry},
		{"a moved path holds what waits", 404, "4xx", Retry},
		{"the endpoint was too slow in reading", 408, "4xx", Retry},
		{"an endpoint that is gone holds what waits", 410, "4xx", Retry},
		{"an unprocessable payload", 422, "4xx", Dead},
		{"the endpoint asks to slow down", 429, "429", Retry},
		{"the endpoint is broken", 500, "5xx", Retry},
		{"the endpoint is away", 503, "5xx", Retry},
		{"no status of HTTP counts as 5xx", 600, "5xx", Retry},
		{"nor does the last one", 999, "5xx", Retry},
		{"another protocol, never asked for", 101, classConnect, Retry},
		{"a connection for another host", 421, "4xx", Retry},
		{"a conflict", 409, "4xx", Dead},
		{"a payload that is too large", 413, "4xx", Dead},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := j.answer(exchange.Reply{Status: test.status}, time.Now())
			if v.outcome != test.want || v.class != test.class || v.status != test.status {
				t.Errorf("status %d = %s %s, want %s %s", test.status, v.outcome, v.class, test.want, test.class)
			}
			if v.healthy() != (test.want != Retry) {
				t.Errorf("healthy = %v", v.healthy())
			}
			if v.gone != (test.status == 410) {
				t.Errorf("gone = %v", v.gone)
			}
		})
	}
}

func TestJudgeHoldsWhatIsAskedToBeHeld(t *testing.T) {
	j := defaults(t, false)
	for held, want := range map[bool]Outcome{true: Retry, false: Dead} {
		if v := j.answer(exchange.Reply{Status: 400, Held: held}, time.Now()); v.outcome != want {
			t.Errorf("held %t: %s, want %s", held, v.outcome, want)
		}
	}
}

func TestJudgeKeepsTheBeginningOfTheAnswer(t *testing.T) {
	j := defaults(t, false)
	v := j.answer(exchange.Reply{Status: 422, Body: []byte("agent\x1b[31m " + strings.Repeat("x", 1000))}, time.Now())
	if v.reason != ReasonRejected {
		t.Errorf("reason = %q, want rejected", v.reason)
	}
	text := exchange.Clip(v.err)
	if !strings.HasPrefix(text, `status 422: agent\x1b[31m xxx`) || len(text) > exchange.MaxText {
		t.Errorf("err = %d bytes %q", len(text), text)
	}
}

func TestFailureClasses(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("dial: %w", exchange.ErrBlocked), classBlocked},
		{context.DeadlineExceeded, classTimeout},
		{errors.New("connection refused"), classConnect},
		{errors.New("remote error: tls: bad certificate"), classTLS},
		{errors.New("http: server gave HTTP response to HTTPS client"), classTLS},
	} {
		if v := failure(test.err); v.class != test.want || v.outcome != Retry {
			t.Errorf("failure(%v) = %s %s, want retry %s", test.err, v.outcome, v.class, test.want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name, text string
		want       time.Duration
	}{
		{"none", "", 0},
		{"seconds", "3", 3 * time.Second},
		{"white space", " 120 ", 2 * time.Minute},
		{"at most an hour", "86400", time.Hour},
		{"a huge number", "99999999999999999999", time.Hour},
		{"a number beyond all measure", strings.Repeat("9", 400), time.Hour},
		{"more than 32 bits", "4294967296", time.Hour},
		{"leading zeros", "000000000000000000000000003", 3 * time.Second},
		{"decimals", "2.5", 2500 * time.Millisecond},
		{"decimals of nothing", "3.0", 3 * time.Second},
		{"two in one field", "3, 120", 3 * time.Second},
		{"a plus", "+3", 0},
		{"hexadecimal", "0x3", 0},
		{"a unit", "3s", 0},
		{"not a number", "NaN", 0},
		{"a date in UTC", "Fri, 02 Jan 2026 03:04:35 UTC", 30 * time.Second},
		{"a date with an offset", "Fri, 02 Jan 2026 03:04:35 +0000", 30 * time.Second},
		{"a date in small letters", "Fri, 02 Jan 2026 03:04:35 gmt", 30 * time.Second},
		{"a negative number", "-5", 0},
		{"a date", "Fri, 02 Jan 2026 03:04:35 GMT", 30 * time.Second},
		{"a date in the past", "Fri, 02 Jan 2026 03:00:00 GMT", 0},
		{"a date far away", "Fri, 02 Jan 2027 03:00:00 GMT", time.Hour},
		{"nonsense", "soon", 0},
		{"a date of RFC 850", "Friday, 02-Jan-26 03:04:35 GMT", 30 * time.Second},
		{"a date of asctime", "Fri Jan  2 03:04:35 2026", 30 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := retryAfter(fieldsOf("Retry-After", test.text), now); got != test.want {
				t.Errorf("retryAfter(%q) = %s, want %s", test.text, got, test.want)
			}
		})
	}
}

func TestTheFirstReadableRetryAfterCounts(t *testing.T) {
	h := fieldsOf("Retry-After", "", "retry-after", "soon", "Retry-After", "4", "Retry-After", "9")
	if got := retryAfter(h, time.Now()); got != 4*time.Second {
		t.Errorf("got %s, want 4s", got)
	}
}

func TestDelayFollowsTheSchedule(t *testing.T) {
	schedule := []time.Duration{10 * time.Second, time.Minute}
	for attempts, want := range []time.Duration{10 * time.Second, 10 * time.Second, time.Minute, time.Minute, time.Minute} {
		lowest, highest := time.Hour, time.Duration(0)
		for range 1000 {
			d := delay(schedule, attempts, 0)
			lowest, highest = min(lowest, d), max(highest, d)
		}
		if lowest < want*8/10 || highest > want*12/10 {
			t.Errorf("delay after %d attempts: %s to %s, want within a fifth of %s", attempts, lowest, highest, want)
		}
		if highest-lowest < want/5 {
			t.Errorf("delay after %d attempts: only %s to %s, want them spread", attempts, lowest, highest)
		}
	}
	if d := delay(schedule, 1, time.Hour); d != time.Hour {
		t.Errorf("with Retry-After an hour: %s", d)
	}
	if d := delay(schedule, 2, time.Second); d < 48*time.Second {
		t.Errorf("a short Retry-After shortened the delay to %s", d)
	}
}

func TestClip(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
	}{
		{"plain", " as it is \n", "as it is"},
		{"control characters", "a\x00b\r\nc\x1b[0m", `a\x00b\r\nc\x1b[0m`},
		{"no UTF-8", "a\xffb", `a\xffb`},
		{"marks of direction and line separators", "a\u202eb\u2028c", `a\u202eb\u2028c`},
		{"letters of the world", "Ünïcødé 漢字 🎉", "Ünïcødé 漢字 🎉"},
		{"cut between characters", strings.Repeat("漢", 200), strings.Repeat("漢", 85)},
		{"never cut inside an escape", strings.Repeat("x", 254) + "\n\n", strings.Repeat("x", 254)},
		{"an escape at the end", strings.Repeat("x", 253) + "\x01y", strings.Repeat("x", 253)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := exchange.Clip(test.text); got != test.want {
				t.Errorf("Clip(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

// statusesOf is a set of statuses, as a relay.toml gives it.
func statusesOf(t testing.TB, key, list string) config.StatusSet {
	t.Helper()
	s := tableOf(t, t.TempDir(), service("crm", "http://127.0.0.1/", key+" = "+list)).Service("crm")
	if key == "success" {
		return s.Success
	}
	return s.RetryOn
}

func TestConfiguredSuccessWinsOverGone(t *testing.T) {
	j := defaults(t, false)
	j.success = statusesOf(t, "success", `["2xx", "410"]`)
	if v := j.answer(exchange.Reply{Status: 410}, time.Now()); v.outcome != Delivered || v.gone {
		t.Errorf("410 as success = %+v", v)
	}
}
