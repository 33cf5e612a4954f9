package web

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const (
	sampleEvery = 15 * time.Second
	sampleKeep  = time.Hour
	maxSamples  = int(sampleKeep/sampleEvery) + 1
)

// sample is what the metrics said at one moment, summed over all services.
type sample struct {
	at        time.Time
	accepted  float64 // events, since the start
	delivered float64 // deliveries, since the start
	waiting   float64 // deliveries owed
}

// history keeps the samples of the last hour. It is safe for concurrent use.
type history struct {
	relay   func() Status
	metrics prometheus.Gatherer

	mu      sync.Mutex
	samples []sample
}

// run takes a sample now and then until ctx ends.
func (h *history) run(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		h.take(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *history) take(now time.Time) {
	families, err := h.metrics.Gather()
	if err != nil && len(families) == 0 {
		return
	}
	s := sample{at: now}
	for _, f := range families {
		if f.GetName() == "relay_events_accepted_total" {
			s.accepted = sum(f)
		}
	}
	for _, one := range h.relay().Services {
		s.delivered += float64(one.Delivered)
		s.waiting += float64(one.Owed())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples = append(h.samples, s)
	if extra := len(h.samples) - maxSamples; extra > 0 {
		h.samples = append(h.samples[:0], h.samples[extra:]...)
	}
}

// sum adds the values of a family of counters.
func sum(f *dto.MetricFamily) float64 {
	total := 0.0
	for _, m := range f.GetMetric() {
		total += m.GetCounter().GetValue()
	}
	return total
}

// plots draws the last hour.
func (h *history) plots() []plot {
	h.mu.Lock()
	samples := append([]sample(nil), h.samples...)
	h.mu.Unlock()
	accepted, delivered, waiting := make([]point, 0, len(samples)), make([]point, 0, len(samples)), make([]point, 0, len(samples))
	for i, s := range samples {
		waiting = append(waiting, point{s.at, s.waiting})
		if i > 0 {
			accepted = append(accepted, perMinute(samples[i-1], s, func(s sample) float64 { return s.accepted }))
			delivered = append(delivered, perMinute(samples[i-1], s, func(s sample) float64 { return s.delivered }))
		}
	}
	return []plot{
		draw("Accepted a minute", accepted),
		draw("Delivered a minute", delivered),
		draw("Waiting", waiting),
	}
}

// perMinute is how fast a count grew from one sample to the next, a minute.
func perMinute(from, to sample, count func(sample) float64) point {
	minutes := to.at.Sub(from.at).Minutes()
	return point{to.at, max(0, count(to)-count(from)) / minutes}
}
