package deliver

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// AppendMetrics appends all metrics of deliveries in the Prometheus text format.
func (d *Deliverer) AppendMetrics(b []byte) []byte {
	names, services := d.reporter.metrics.all()
	x := exposition(slices.Grow(b, bytesPerService*(1+len(names))))
	x.counted(names, services)
	list := d.Status()
	x.gauges(list, time.Now())
	x.letters(list, d.Gone(list))
	return x
}

// bytesPerService is about what the series of a service take.
const bytesPerService = 4 << 10

// exposition is metrics in the Prometheus text format, version 0.0.4. Neither
// the names of services nor the other labels have anything to escape.
type exposition []byte

func (x *exposition) counted(names []string, services map[string]*serviceMetrics) {
	x.family("relay_deliveries_total", "counter", "Outcomes of deliveries: delivered, retry (an attempt failed and is repeated), dead.")
	for _, name := range names {
		s := services[name]
		x.series("relay_deliveries_total", name, float64(s.dead.Load()), "outcome", Dead.String())
		x.series("relay_deliveries_total", name, float64(s.delivered.Load()), "outcome", Delivered.String())
		x.series("relay_deliveries_total", name, float64(s.retry.Load()), "outcome", Retry.String())
	}
	x.family("relay_attempts_total", "counter", "Attempts by what they came to: a class of statuses, or why there was no usable answer.")
	for _, name := range names {
		for _, class := range classes {
			x.series("relay_attempts_total", name, float64(services[name].classes[class].Load()), "class", class)
		}
	}
	x.family("relay_attempt_seconds", "histogram", "Time an attempt took, from connecting to the last byte of the answer.")
	for _, name := range names {
		x.histogram("relay_attempt_seconds", name, &services[name].seconds)
	}
	x.family("relay_delivery_lag_seconds", "histogram", "Time from the acceptance of an event to its delivery.")
	for _, name := range names {
		x.histogram("relay_delivery_lag_seconds", name, &services[name].lag)
	}
}

// gauges say how things are, from the status.
func (x *exposition) gauges(list []Status, now time.Time) {
	x.each(list, "relay_pending", "Deliveries not finished: waiting, in flight and retrying.",
		func(s Status) float64 { return float64(s.Owed()) })
	x.each(list, "relay_oldest_seconds", "Age of the oldest delivery that is not finished, counted from its acceptance.",
		func(s Status) float64 {
			if s.Oldest.IsZero() {
				return 0
			}
			return max(now.Sub(s.Oldest).Seconds(), 0)
		})
	x.each(list, "relay_retrying", "Deliveries that wait for another attempt.",
		func(s Status) float64 { return float64(s.Retrying) })
	x.each(list, "relay_waiting_for_recording", "Deliveries that wait for their recording to be complete.",
		func(s Status) float64 { return float64(s.ForRecording) })
	x.states(list)
	x.each(list, "relay_stalled", "Whether the service is owed deliveries, may deliver, and has made no attempt for half a minute (1).",
		func(s Status) float64 { return oneIf(s.Stalled) })
	guarded := slices.DeleteFunc(slices.Clone(list), func(s Status) bool { return s.State == StateOrphaned })
	x.each(guarded, "relay_breaker_state", "Circuit breaker of the endpoint: 0 closed, 1 half-open, 2 open.",
		func(s Status) float64 { return breakerValue(s.Breaker) })
}

// each writes a gauge with the value of every service.
func (x *exposition) each(list []Status, name, help string, value func(Status) float64) {
	x.family(name, "gauge", help)
	for _, s := range list {
		x.series(name, s.Name, value(s))
	}
}

// states says which state each service is in.
func (x *exposition) states(list []Status) {
	x.family("relay_service_state", "gauge", "State of a service: 1 for the one that it is in, 0 for the others.")
	for _, s := range list {
		for _, state := range serviceStates {
			x.series("relay_service_state", s.Name, oneIf(s.State == state.Name), "state", state.Name)
		}
	}
}

// letters counts what is kept, also for services that are no more: the reason
// "removed" is one that only they have.
func (x *exposition) letters(list []Status, gone map[string]map[string]int) {
	x.family("relay_dead_letters", "gauge", "Dead letters kept, by reason.")
	for _, s := range list {
		x.lettersOf(s.Name, s.Dead)
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		x.lettersOf(name, gone[name])
	}
}

func (x *exposition) lettersOf(service string, dead map[string]int) {
	for _, reason := range reasons {
		x.series("relay_dead_letters", service, float64(dead[reason.Name]), "reason", reason.Name)
	}
}

// breakerValue is the number of a breaker's state.
func breakerValue(state string) float64 {
	return float64(max(0, slices.IndexFunc(breakerStates, func(s State) bool { return s.Name == state })))
}

func (x *exposition) text(parts ...string) {
	for _, part := range parts {
		*x = append(*x, part...)
	}
}

func (x *exposition) family(name, kind, help string) {
	x.text("# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n")
}

// series writes the value of a service, with another label, as its name and its
// value, where there is one. Values are whole up to 2^53.
func (x *exposition) series(name, service string, value float64, label ...string) {
	x.text(name, "{")
	if len(label) > 0 {
		x.text(label[0], `="`, label[1], `",`)
	}
	x.text(`service="`, service, `"} `)
	*x = strconv.AppendFloat(*x, value, 'f', -1, 64)
	x.text("\n")
}

func (x *exposition) histogram(name, service string, h *histogram) {
	bucket, n := name+"_bucket", uint64(0)
	for i := range h.counts {
		n += h.counts[i].Load()
		most := "+Inf"
		if i < len(h.bounds) {
			most = strconv.FormatFloat(h.bounds[i].Seconds(), 'f', -1, 64)
		}
		x.series(bucket, service, float64(n), "le", most)
	}
	x.series(name+"_sum", service, float64(h.sum.Load())/1e6)
	x.series(name+"_count", service, float64(n))
}

func oneIf(so bool) float64 {
	if so {
		return 1
	}
	return 0
}
