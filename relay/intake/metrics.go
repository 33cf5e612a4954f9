package intake

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"callrelay/relay/call"
)

// maxNames is how many event names beyond the known ones are counted by name;
// the rest are counted together as "other".
const maxNames = 100

// Reasons for which an event or a request is refused, as counted.
const (
	reasonInvalid      = "invalid"
	reasonTooLarge     = "too_large"
	reasonMediaType    = "media_type"
	reasonUnauthorized = "unauthorized"
	reasonForbidden    = "forbidden"
	reasonConnections  = "connections"
	reasonConflict     = "conflict"
	reasonQueue        = "queue"
)

type metrics struct {
	accepted *byEvent
	unbound  *byEvent
	rejected *prometheus.CounterVec
	journal  prometheus.Histogram
}

// newMetrics registers them with r; nil: with nobody.
func newMetrics(r prometheus.Registerer) *metrics {
	registered := promauto.With(r)
	m := &metrics{
		accepted: newByEvent(registered.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_events_accepted_total",
			Help: "Events accepted, each segment for itself.",
		}, []string{"event"})),
		unbound: newByEvent(registered.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_events_unbound_total",
			Help: "Events accepted that no binding matches, each segment for itself.",
		}, []string{"event"})),
		rejected: registered.NewCounterVec(prometheus.CounterOpts{
			Name: "relay_events_rejected_total",
			Help: "Events, requests and connections refused.",
		}, []string{"reason"}),
		journal: registered.NewHistogram(prometheus.HistogramOpts{
			Name:    "relay_journal_seconds",
			Help:    "Time to make an accepted event durable.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
	}
	for _, reason := range []string{
		reasonInvalid, reasonTooLarge, reasonMediaType, reasonUnauthorized,
		reasonForbidden, reasonConnections, reasonConflict, reasonQueue,
	} {
		m.rejected.WithLabelValues(reason)
	}
	return m
}

// byEvent keeps a counter for each event name, within bounds: names come from
// outside.
type byEvent struct {
	vec *prometheus.CounterVec

	mu       sync.RWMutex
	counters map[string]prometheus.Counter
	left     int
}

func newByEvent(vec *prometheus.CounterVec) *byEvent {
	b := &byEvent{vec: vec, counters: map[string]prometheus.Counter{}, left: maxNames}
	for _, name := range call.KnownEvents() {
		b.counters[name] = vec.WithLabelValues(name)
	}
	return b
}

// of returns the counter for an event name.
func (b *byEvent) of(name string) prometheus.Counter {
	b.mu.RLock()
	c, ok := b.counters[name]
	b.mu.RUnlock()
	if ok {
		return c
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.counters[name]; ok {
		return c
	}
	if b.left == 0 {
		return b.vec.WithLabelValues("other")
	}
	b.left--
	// The name is part of the event's text, which must not be kept alive.
	name = string([]byte(name))
	b.counters[name] = b.vec.WithLabelValues(name)
	return b.counters[name]
}
