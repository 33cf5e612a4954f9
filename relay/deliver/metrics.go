package deliver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// deadReasons lists the reasons of dead letters, so that all their series exist
// from the start.
var deadReasons = []string{ReasonRejected, ReasonExpired, ReasonRender, reasonOverflow, ReasonRemoved}

// reasonOverflow is given by the queue.
const reasonOverflow = "overflow"

var (
	attemptBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60}
	lagBuckets     = []float64{.001, .005, .025, .1, .5, 2.5, 10, 60, 300, 1800, 3600, 21600, 86400, 604800}
)

// metrics are what is counted of all services.
type metrics struct {
	deliveries, attempts *prometheus.CounterVec
	seconds, lag         *prometheus.HistogramVec
}

// serviceMetrics are the series of one service, at hand without a look-up.
type serviceMetrics struct {
	delivered, retry, dead prometheus.Counter
	classes                map[string]prometheus.Counter
	seconds, lag           prometheus.Observer
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_deliveries_total",
			Help: "Outcomes of deliveries: delivered, retry (an attempt failed and is repeated), dead.",
		}, []string{"service", "outcome"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_attempts_total",
			Help: "Attempts by what they came to: a class of statuses, or why there was no usable answer.",
		}, []string{"service", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "relay_attempt_seconds", Buckets: attemptBuckets,
			Help: "Time an attempt took, from connecting to the last byte of the answer.",
		}, []string{"service"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "relay_delivery_lag_seconds", Buckets: lagBuckets,
			Help: "Time from the acceptance of an event to its delivery.",
		}, []string{"service"}),
	}
	reg.MustRegister(m.deliveries, m.attempts, m.seconds, m.lag)
	return m
}

// service returns the series of a service, which exist from now on.
func (m *metrics) service(name string) *serviceMetrics {
	s := &serviceMetrics{
		delivered: m.deliveries.WithLabelValues(name, Delivered.String()),
		retry:     m.deliveries.WithLabelValues(name, Retry.String()),
		dead:      m.deliveries.WithLabelValues(name, Dead.String()),
		classes:   make(map[string]prometheus.Counter, len(classes)),
		seconds:   m.seconds.WithLabelValues(name),
		lag:       m.lag.WithLabelValues(name),
	}
	for _, class := range classes {
		s.classes[class] = m.attempts.WithLabelValues(name, class)
	}
	return s
}

// forget drops the series of a service that is no more.
func (m *metrics) forget(name string) {
	labels := prometheus.Labels{"service": name}
	m.deliveries.DeletePartialMatch(labels)
	m.attempts.DeletePartialMatch(labels)
	m.seconds.DeletePartialMatch(labels)
	m.lag.DeletePartialMatch(labels)
}

// attempt counts one. A dead letter is counted when it is stored.
func (s *serviceMetrics) attempt(v verdict, elapsed, lag time.Duration) {
	s.classes[v.class].Inc()
	s.seconds.Observe(elapsed.Seconds())
	switch v.outcome {
	case Delivered:
		s.delivered.Inc()
		s.lag.Observe(lag.Seconds())
	case Retry:
		s.retry.Inc()
	}
}

// gauges reads the metrics that say how things are from the status.
type gauges struct{ status func() []Status }

var (
	pendingDesc  = gaugeDesc("relay_pending", "Deliveries not finished: waiting, in flight and retrying.", "service")
	oldestDesc   = gaugeDesc("relay_oldest_seconds", "Age of the oldest delivery that is not finished, counted from its acceptance.", "service")
	retryingDesc = gaugeDesc("relay_retrying", "Deliveries that wait for another attempt.", "service")
	deadDesc     = gaugeDesc("relay_dead_letters", "Dead letters kept, by reason.", "service", "reason")
	breakerDesc  = gaugeDesc("relay_breaker_state", "Circuit breaker of the endpoint: 0 closed, 1 half-open, 2 open.", "service")
)

func gaugeDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{pendingDesc, oldestDesc, retryingDesc, deadDesc, breakerDesc} {
		ch <- desc
	}
}

// Collect implements [prometheus.Collector].
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	now := time.Now()
	for _, s := range g.status() {
		oldest := 0.0
		if !s.Oldest.IsZero() {
			oldest = max(now.Sub(s.Oldest).Seconds(), 0)
		}
		gauge(pendingDesc, float64(s.Waiting+s.InFlight+s.Retrying), s.Name)
		gauge(oldestDesc, oldest, s.Name)
		gauge(retryingDesc, float64(s.Retrying), s.Name)
		for _, reason := range deadReasons {
			gauge(deadDesc, float64(s.Dead[reason]), s.Name, reason)
		}
		if s.State != StateOrphaned {
			gauge(breakerDesc, breakerValue(s.Breaker), s.Name)
		}
	}
}

func breakerValue(state string) float64 {
	switch state {
	case BreakerOpen:
		return 2
	case BreakerHalfOpen:
		return 1
	default:
		return 0
	}
}
