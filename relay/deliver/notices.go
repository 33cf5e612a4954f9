package deliver

import (
	"strings"

	"callrelay/queue"
	"callrelay/relay/exchange"
)

// The operational events that are raised here.
const (
	eventBreakerOpened = "relay_breaker_opened"
	eventBreakerClosed = "relay_breaker_closed"
	eventDeadLetter    = "relay_dead_letter"
)

// notices raises the relay's own events: what happens to deliveries, but not
// what happens to those that tell of it. An endpoint for alarms that fails
// would raise alarms for ever.
type notices struct {
	raise func(event map[string]any)
}

func newNotices(raise func(event map[string]any)) notices {
	if raise == nil {
		raise = func(map[string]any) {}
	}
	return notices{raise}
}

// operational reports whether an event of this name tells of the relay itself.
func operational(event string) bool {
	return strings.HasPrefix(event, "relay_") && event != "relay_test"
}

// dead tells of dead letters of one service that were made together, of which
// the records are what was owed.
func (n notices) dead(d queue.Death, endpoint string, records ...queue.Record) {
	count, last := 0, queue.Record{}
	for _, r := range records {
		if !operational(r.Event) {
			count, last = count+1, r
		}
	}
	if count == 0 {
		return
	}
	event := map[string]any{
		"event": eventDeadLetter, "service": last.Service, "endpoint": endpoint,
		"reason": d.Reason, "error": exchange.Clip(d.Error), "delivery": last.ID, "count": count,
	}
	if d.Status != 0 {
		event["status"] = d.Status
	}
	n.raise(event)
}

// breaker tells of a breaker that opened or closed.
func (n notices) breaker(name string, services []string, endpoint, why string) {
	event := map[string]any{"event": name, "endpoint": endpoint, "services": services}
	if len(services) > 0 {
		event["service"] = services[0]
	}
	if why != "" {
		event["error"] = exchange.Clip(why)
	}
	n.raise(event)
}
