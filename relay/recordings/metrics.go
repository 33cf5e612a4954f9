package recordings

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics count what the recording server answers.
type metrics struct {
	requests *prometheus.CounterVec
	bytes    prometheus.Counter
	outcomes *prometheus.CounterVec
}

// What became of the recordings of deliveries.
const (
	OutcomeReady   = "ready"   // the delivery left with it
	OutcomeMissing = "missing" // the delivery left without it
	OutcomeLate    = "late"    // a missing one was completed in time for recording_available
	OutcomeFailed  = "failed"  // a missing one was not: recording_failed
)

// newMetrics registers them, with a series of each status that is to be
// expected, at 0.
func newMetrics(r prometheus.Registerer) metrics {
	registered := promauto.With(r)
	m := metrics{
		requests: registered.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_recording_requests_total", Help: "Requests to the recording server, by the status they were answered with.",
		}, []string{"status"}),
		bytes: registered.NewCounter(prometheus.CounterOpts{
			Name: "relay_recording_bytes_total", Help: "Bytes of recordings that the recording server has sent.",
		}),
		outcomes: registered.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_recordings_total",
			Help: "Recordings of deliveries: ready or missing when a delivery left; of the missing ones late (completed after all) or failed.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{OutcomeReady, OutcomeMissing, OutcomeLate, OutcomeFailed} {
		m.outcomes.WithLabelValues(outcome)
	}
	for _, status := range []int{200, 206, 304, 401, 403, 404, 405, 416, 429, 503} {
		m.requests.WithLabelValues(strconv.Itoa(status))
	}
	return m
}

func (m metrics) count(status int, bytes int64) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	if status < 300 {
		m.bytes.Add(float64(bytes))
	}
}
