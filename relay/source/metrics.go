package source

import "github.com/prometheus/client_golang/prometheus"

// metrics show a source's status, read when they are asked for.
func metrics(s *Collector) (all []prometheus.Collector) {
	labels := prometheus.Labels{"source": s.o.Config.Name}
	gauge := func(name, help string, value func(Status) float64) {
		o := prometheus.GaugeOpts{Name: "relay_source_" + name, Help: help, ConstLabels: labels}
		all = append(all, prometheus.NewGaugeFunc(o, func() float64 { return value(s.Status()) }))
	}
	counter := func(name, help string, value func(Status) uint64) {
		o := prometheus.CounterOpts{Name: "relay_source_" + name, Help: help, ConstLabels: labels}
		all = append(all, prometheus.NewCounterFunc(o, func() float64 { return float64(value(s.Status())) }))
	}
	gauge("connected", "Whether the source is connected to its call server.", Status.connected)
	gauge("since_timestamp_seconds", "When the source connected, or lost its connection.", Status.since)
	gauge("behind_seconds", "How long ago the oldest event happened that the relay has not taken.", func(s Status) float64 { return s.Behind.Seconds() })
	gauge("lag_seconds", "Between the call server's last stamp and its receipt.", func(s Status) float64 { return s.Lag.Seconds() })
	gauge("spooled", "Events that wait for the relay to take them.", func(s Status) float64 { return float64(s.Spooled) })
	counter("events_total", "Call events turned from the call server's and taken by the relay.", func(s Status) uint64 { return s.Turned })
	counter("unturned_total", "Events of the call server that could not be turned.", func(s Status) uint64 { return s.Unturned })
	counter("gaps_total", "relay_gap events raised: something may be missing.", func(s Status) uint64 { return s.Gaps })
	gauge("limits", "Kinds of things that the call server does not let the source see.", func(s Status) float64 { return float64(len(s.Limits)) })
	return all
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
