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
	failed    float64 // attempts, since the start
	dead      float64 // letters that there are
	waiting   float64 // deliveries owed
}

// history keeps the samples of the last hour. It is safe for concurrent use.
type history struct {
	relay   func() Status
	metrics prometheus.Gatherer

	mu      sync.Mutex
	samples []sample
	sparks  map[string]*sparks // by service
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
	st := h.relay()
	for _, one := range st.Services {
		s.delivered += float64(one.Delivered)
		s.failed += float64(one.Failed)
		s.waiting += float64(one.Owed())
	}
	s.dead = float64(st.Letters("", ""))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count(now, st.Services)
	h.samples = append(h.samples, s)
	if extra := len(h.samples) - maxSamples; extra > 0 {
		h.samples = append(h.samples[:0], h.samples[extra:]...)
	}
}

// count keeps the outcomes of each service that there is; h.mu is held.
func (h *history) count(now time.Time, services []Service) {
	next := make(map[string]*sparks, len(services))
	for _, one := range services {
		s := h.sparks[one.Name]
		if s == nil {
			s = newSparks(one)
		}
		s.add(now, outcomes{one.Delivered, one.Failed})
		next[one.Name] = s
	}
	h.sparks = next
}

// Sparks are the outcomes of a service, in the last hour and day.
type Sparks struct{ Hour, Day Spark }

// outcomes draws those of a service.
func (h *history) outcomes(service string, now time.Time) Sparks {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sparks[service]
	if s == nil {
		s = newSparks(Service{})
	}
	return Sparks{s.hour.spark(now, "hour"), s.day.spark(now, "day")}
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
	rate := func(of func(sample) float64) (points []point) {
		for i := 1; i < len(samples); i++ {
			points = append(points, perMinute(samples[i-1], samples[i], of))
		}
		return points
	}
	level := func(of func(sample) float64) (points []point) {
		for _, s := range samples {
			points = append(points, point{s.at, of(s)})
		}
		return points
	}
	return []plot{
		draw("Accepted a minute", rate(func(s sample) float64 { return s.accepted })),
		draw("Delivered a minute", rate(func(s sample) float64 { return s.delivered })),
		draw("Failed a minute", rate(func(s sample) float64 { return s.failed })),
		draw("Waiting", level(func(s sample) float64 { return s.waiting })),
		draw("Dead letters", level(func(s sample) float64 { return s.dead })),
	}
}

// perMinute is how fast a count grew from one sample to the next, a minute.
func perMinute(from, to sample, count func(sample) float64) point {
	minutes := to.at.Sub(from.at).Minutes()
	return point{to.at, max(0, count(to)-count(from)) / minutes}
}
