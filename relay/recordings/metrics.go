package recordings

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what the recording server answers.
type metrics struct {
	requests *prometheus.CounterVec
	bytes    prometheus.Counter
}

// newMetrics registers them, with a series of each status that is to be
// expected, at 0.
func newMetrics(reg prometheus.Registerer) (metrics, error) {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_recording_requests_total", Help: "Requests to the recording server, by the status they were answered with.",
		}, []string{"status"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "relay_recording_bytes_total", Help: "Bytes of recordings that the recording server has sent.",
		}),
	}
	for _, status := range []int{200, 206, 304, 401, 403, 404, 405, 416, 429, 503} {
		m.requests.WithLabelValues(strconv.Itoa(status))
	}
	for _, c := range []prometheus.Collector{m.requests, m.bytes} {
		if err := reg.Register(c); err != nil {
			return metrics{}, err
		}
	}
	return m, nil
}

func (m metrics) count(status int, bytes int64) {
	m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	if status < 300 {
		m.bytes.Add(float64(bytes))
	}
}
