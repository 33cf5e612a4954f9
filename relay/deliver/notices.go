package deliver

import (
	"callrelay/queue"
	"callrelay/relay/call"
	"callrelay/relay/exchange"
)

// notices raises operational events: what happens to deliveries, but not what
// happens to those of operational events. An endpoint for them that fails would
// raise more of them for ever.
type notices struct {
	raise func(event map[string]any)
}

func newNotices(raise func(event map[string]any)) notices {
	if raise == nil {
		raise = func(map[string]any) {}
	}
	return notices{raise}
}

// dead raises an event for the dead letters of one service that were made together, of which
// the records are what was owed.
func (n notices) dead(d queue.Death, endpoint string, records ...queue.Record) {
	count, last := 0, queue.Record{}
	for _, r := range records {
		if !call.Operational(r.Event) {
			count, last = count+1, r
		}
	}
	if count == 0 {
		return
	}
	event := map[string]any{
		"event": call.DeadLetter, "service": last.Service, "endpoint": endpoint,
		"reason": d.Reason, "error": exchange.Clip(d.Error), "delivery": last.ID, "count": count,
	}
	if d.Status != 0 {
		event["status"] = d.Status
	}
	n.raise(event)
}

// breaker raises an event for a breaker that opened or closed.
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
