package source

import "github.com/prometheus/client_golang/prometheus"

// statusMetrics shows a source's status as metrics, read when they are asked for.
type statusMetrics struct {
	source *Collector
	series []series
}

type series struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Status) float64
}

func newMetrics(s *Collector) *statusMetrics {
	c := &statusMetrics{source: s}
	for _, m := range []struct {
		name, help string
		kind       prometheus.ValueType
		value      func(Status) float64
	}{
		{"connected", "Whether the source is connected to its call server.", prometheus.GaugeValue, Status.connected},
		{"since_timestamp_seconds", "When the source connected, or lost its connection.", prometheus.GaugeValue, Status.since},
		{"behind_seconds", "How long ago the oldest event happened that the relay has not taken.", prometheus.GaugeValue, func(s Status) float64 { return s.Behind.Seconds() }},
		{"lag_seconds", "Between the call server's last stamp and its receipt.", prometheus.GaugeValue, func(s Status) float64 { return s.Lag.Seconds() }},
		{"spooled", "Events that wait for the relay to take them.", prometheus.GaugeValue, func(s Status) float64 { return float64(s.Spooled) }},
		{"events_total", "Call events turned from the call server's and taken by the relay.", prometheus.CounterValue, func(s Status) float64 { return float64(s.Turned) }},
		{"unturned_total", "Events of the call server that could not be turned.", prometheus.CounterValue, func(s Status) float64 { return float64(s.Unturned) }},
		{"gaps_total", "relay_gap events raised: something may be missing.", prometheus.CounterValue, func(s Status) float64 { return float64(s.Gaps) }},
		{"limits", "Kinds of things that the call server does not let the source see.", prometheus.GaugeValue, func(s Status) float64 { return float64(len(s.Limits)) }},
	} {
		labels := prometheus.Labels{"source": s.o.Config.Name}
		c.series = append(c.series, series{prometheus.NewDesc("relay_source_"+m.name, m.help, nil, labels), m.kind, m.value})
	}
	return c
}

func (s Status) connected() float64 {
	if s.Connected {
		return 1
	}
	return 0
}

func (s Status) since() float64 {
	if s.Since.IsZero() {
		return 0
	}
	return float64(s.Since.UnixMilli()) / 1000
}

// Describe implements [prometheus.Collector].
func (c *statusMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, s := range c.series {
		out <- s.desc
	}
}

// Collect implements [prometheus.Collector].
func (c *statusMetrics) Collect(out chan<- prometheus.Metric) {
	status := c.source.Status()
	for _, s := range c.series {
		out <- prometheus.MustNewConstMetric(s.desc, s.kind, s.value(status))
	}
}
