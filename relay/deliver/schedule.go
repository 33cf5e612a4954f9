package deliver

import (
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"callrelay/relay/exchange"
)

const (
	// jitter is how far a delay may be from its place in the schedule: a fifth
	// of it, so that deliveries that failed together do not return together.
	jitter = 0.2

	// maxRetryAfter bounds what an endpoint may ask for.
	maxRetryAfter = time.Hour
)

// delay is how long a delivery waits after its attempts-th attempt failed: its
// step of the schedule, of which the last repeats, within the jitter. An
// endpoint's Retry-After lengthens it and never shortens it.
func delay(schedule []time.Duration, attempts int, retryAfter time.Duration) time.Duration {
	var step time.Duration
	if last := len(schedule) - 1; last >= 0 {
		step = schedule[min(max(attempts-1, 0), last)]
	}
	spread := 1 + jitter*(2*rand.Float64()-1)
	return max(time.Duration(float64(step)*spread), retryAfter)
}

// retryAfter reads the Retry-After of an answer, in seconds or as a date, cut to
// an hour. It is 0 when there is none, when it is in the past and when it
// cannot be read. Of several the first that can be read counts.
func retryAfter(h exchange.Headers, now time.Time) time.Duration {
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Retry-After") {
			continue
		}
		if d, ok := parseRetryAfter(strings.TrimSpace(f.Value), now); ok {
			return min(max(d, 0), maxRetryAfter)
		}
	}
	return 0
}

// seconds are those of a Retry-After: of any length, and, as some send them, with
// decimals. A proxy may have put two fields into one.
var seconds = regexp.MustCompile(`^([0-9]+(?:\.[0-9]*)?)\s*(?:,|$)`)

// zoneless is the end of a date that says GMT in another way.
var zoneless = regexp.MustCompile(`(?i) (utc|gmt|[+-]0000)$`)

func parseRetryAfter(text string, now time.Time) (time.Duration, bool) {
	if m := seconds.FindStringSubmatch(text); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64) // too much is infinite
		return time.Duration(min(n, maxRetryAfter.Seconds()) * float64(time.Second)), true
	}
	at, err := http.ParseTime(zoneless.ReplaceAllLiteralString(text, " GMT"))
	return at.Sub(now), err == nil
}
