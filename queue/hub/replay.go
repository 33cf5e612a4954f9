package hub

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

// replayBeat is how often a replay that was asked for by the hub tells of itself.
const replayBeat = time.Second

// replayed is how far a replay has come.
type replayed struct {
	Count  int    `json:"count"`
	Done   bool   `json:"done,omitempty"`
	Failed string `json:"failed,omitempty"`
}

// replay puts dead letters back as the hub asks for it, one such request at a
// time. It goes on when the hub is away meanwhile.
func (g *gate) replay(m *nats.Msg) {
	var f record.Filter
	if m.Reply == "" {
		return
	}
	if err := json.Unmarshal(m.Data, &f); err != nil || !tokenOrAny(f.Service) || !tokenOrAny(f.Reason) {
		g.tell(m, replayed{Failed: "the request is not understood"})
		return
	}
	f.Batch = 0 // how many at a time is the edge's own affair
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if !g.replaying.TryLock() {
		g.tell(m, replayed{Failed: "a replay is under way already"})
		return
	}
	g.work.Go(func() {
		defer g.replaying.Unlock()
		g.tell(m, g.replayAll(m, f))
	})
}

// tokenOrAny reports whether text is one token of a subject, or none: a hub may
// put anything into what goes to the log and into a filter.
func tokenOrAny(text string) bool { return text == "" || engine.StateName.MatchString(text) }

func (g *gate) replayAll(m *nats.Msg, f record.Filter) replayed {
	ctx, cancel := context.WithCancel(g.ctx)
	defer cancel()
	log := g.e.log
	log.Info("replay asked for by the hub", "service", f.Service, "reason", f.Reason)
	count, told := 0, time.Now()
	g.tell(m, replayed{})
	n, err := g.e.q.Replay(ctx, f, func(record.Letter) {
		count++
		if time.Since(told) > replayBeat {
			told = time.Now()
			g.tell(m, replayed{Count: count})
		}
	})
	log.Info("replay for the hub ended", "count", n)
	if err != nil {
		return replayed{Count: n, Failed: err.Error()}
	}
	return replayed{Count: n, Done: true}
}

func (g *gate) tell(m *nats.Msg, r replayed) {
	if data, err := json.Marshal(r); err == nil {
		_ = g.eng.Hub.Publish(m.Reply, data)
	}
}
