package deliver

import (
	"math/rand/v2"
	"net/http"
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
// cannot be read.
func retryAfter(h exchange.Headers, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
