package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"callrelay/queue/engine"
	"callrelay/queue/record"
)

const (
	gatePending = 1000             // requests of a hub that may wait; more are dropped
	maxCopies   = 8                // that a hub reads at a time; the oldest gives way
	maxFilters  = 100              // of a copy: JetStream compares each with each, which takes minutes for as many as a request holds
	copyIdle    = 10 * time.Second // a copy that nobody reads ends after it
	copyBeat    = time.Second
	flowControl = "$JS.FC."
)

// gate is the only way from a hub to the queue, and lets little pass: the state
// of EVENTS and DEAD, a copy of what they hold, the roll call, and a replay of
// dead letters. Each request is made anew from what is known of it, so a hub
// cannot set a consumer of the relay's own, publish, purge or change anything.
type gate struct {
	e   *Link
	eng *engine.Engine
	ctx context.Context // of the requests, which come from a subscription
	end context.CancelFunc

	replaying sync.Mutex
	work      sync.WaitGroup // replays

	mu     sync.Mutex
	closed bool
	copies []copying // oldest first
}

// copying is a copy of a stream that goes to the hub: a consumer, which lives as
// long as the hub listens, and the way back to it.
type copying struct {
	stream, name string // of the consumer
	flow         *nats.Subscription
}

func openGate(ctx context.Context, e *Link, eng *engine.Engine) (*gate, error) {
	g := &gate{e: e, eng: eng}
	g.ctx, g.end = context.WithCancel(ctx)
	for subject, answer := range map[string]nats.MsgHandler{
		apiSubject(e.o.Name) + ".>": g.api,
		replaySubject(e.o.Name):     g.replay,
		rollCall:                    func(m *nats.Msg) { e.report(g.ctx, eng.Hub, m.Reply) },
	} {
		if _, err := g.listen(subject, answer); err != nil {
			g.close()
			return nil, fmt.Errorf("link to hub: %w", err)
		}
	}
	return g, nil
}

// listen has the hub's messages on a subject answered.
func (g *gate) listen(subject string, answer nats.MsgHandler) (*nats.Subscription, error) {
	sub, err := g.eng.Hub.Subscribe(subject, answer)
	if err == nil {
		err = sub.SetPendingLimits(gatePending, gatePending<<10)
	}
	return sub, err
}

// api answers what the hub asks of the edge's JetStream.
func (g *gate) api(m *nats.Msg) {
	request := strings.Split(strings.TrimPrefix(m.Subject, apiSubject(g.e.o.Name)+"."), ".")
	what, stream, rest := "", "", []string(nil)
	if len(request) >= 3 {
		what, stream, rest = request[0]+"."+request[1], request[2], request[3:]
	}
	switch {
	case m.Reply == "":
	case stream != record.Events && stream != record.Dead:
		g.refuse(m, "only EVENTS and DEAD may be read")
	case what == "STREAM.INFO":
		g.answer(m, g.ask(&nats.Msg{Subject: "$JS.API.STREAM.INFO." + stream}))
	case what == "CONSUMER.CREATE":
		g.create(m, stream)
	case what == "CONSUMER.DELETE" && len(rest) == 1 && strings.HasPrefix(rest[0], copyName("")):
		g.forget(func(c copying) bool { return c.name == rest[0] })
		g.answer(m, g.ask(&nats.Msg{Subject: "$JS.API.CONSUMER.DELETE." + stream + "." + rest[0]}))
	default:
		g.refuse(m, "only copying is allowed")
	}
}

// ask has the queue answer a request; nil when it does not.
func (g *gate) ask(request *nats.Msg) *nats.Msg {
	ctx, cancel := context.WithTimeout(g.ctx, engine.RequestTimeout)
	defer cancel()
	answer, err := g.eng.NC.RequestMsgWithContext(ctx, request)
	if err != nil {
		return nil
	}
	return answer
}

// answer returns what the queue answered to the hub.
func (g *gate) answer(m, answer *nats.Msg) {
	if answer == nil {
		g.refuse(m, "the queue did not answer")
		return
	}
	_ = g.eng.Hub.PublishMsg(&nats.Msg{Subject: m.Reply, Header: answer.Header, Data: answer.Data})
}

// refuse answers as JetStream does.
func (g *gate) refuse(m *nats.Msg, why string) {
	_ = g.eng.Hub.Publish(m.Reply, engine.Refuse("edge "+g.e.o.Name+": "+why).Data)
}

var copyWish = regexp.MustCompile(`^[A-Za-z0-9_-]{1,100}$`)

// copyName is the name of a consumer for the hub. No service has one like it.
func copyName(wish string) string { return "hub=" + wish }

// create makes a consumer that copies a stream to the hub. Of the hub's wishes
// it takes what is copied, from where on, and where it goes to.
func (g *gate) create(m *nats.Msg, stream string) {
	var wish natsserver.CreateConsumerRequest
	to := func(start string) bool { return strings.HasPrefix(wish.Config.DeliverSubject, start) }
	if err := json.Unmarshal(m.Data, &wish); err != nil || !copyWish.MatchString(wish.Config.Name) || !slices.ContainsFunc(copyStarts(g.e.o.Name), to) {
		g.refuse(m, "a copy has a name and goes to "+copySubject(g.e.o.Name)+".>")
		return
	}
	if len(wish.Config.FilterSubjects) > maxFilters {
		g.refuse(m, fmt.Sprintf("a copy has at most %d filters", maxFilters))
		return
	}
	config := natsserver.ConsumerConfig{
		Name: copyName(wish.Config.Name), DeliverSubject: wish.Config.DeliverSubject,
		AckPolicy: natsserver.AckNone, AckWait: 22 * time.Hour, MaxDeliver: 1,
		FilterSubject: wish.Config.FilterSubject, FilterSubjects: wish.Config.FilterSubjects,
		DeliverPolicy: wish.Config.DeliverPolicy, OptStartSeq: wish.Config.OptStartSeq, OptStartTime: wish.Config.OptStartTime,
		FlowControl: true, Heartbeat: copyBeat, Direct: true, Sourcing: wish.Config.Sourcing, InactiveThreshold: copyIdle,
	}
	data, err := json.Marshal(natsserver.CreateConsumerRequest{Stream: stream, Config: config})
	if err != nil {
		g.refuse(m, "not understood")
		return
	}
	header := nats.Header{}
	for _, key := range []string{natsserver.JSRequiredApiLevel, natsserver.JSStreamIdentity} {
		record.SetHeader(header, key, m.Header.Get(key))
	}
	answer := g.ask(&nats.Msg{Subject: "$JS.API.CONSUMER.CREATE." + stream + "." + config.Name, Header: header, Data: data})
	var made natsserver.JSApiConsumerCreateResponse
	if answer != nil && json.Unmarshal(answer.Data, &made) == nil && made.ConsumerInfo != nil {
		g.keep(stream, made.Name)
	}
	g.answer(m, answer)
}

// keep opens the way on which the hub says how far it has come with a copy, and
// ends the oldest copies when there are too many.
func (g *gate) keep(stream, name string) {
	back, err := g.listen(flowControl+stream+"."+name+".*", func(m *nats.Msg) {
		_ = g.eng.NC.Publish(m.Subject, nil) // no header: one of them has the server report to a subject of the sender's choice
	})
	if err != nil {
		return // the copy stalls, and the hub begins it again
	}
	g.mu.Lock()
	g.copies = append(g.copies, copying{stream, name, back})
	oldest := copying{}
	if len(g.copies) > maxCopies {
		oldest = g.copies[0]
	}
	g.mu.Unlock()
	if oldest.name != "" {
		g.eng.DropConsumer(oldest.stream, oldest.name)
		g.forget(func(c copying) bool { return c.name == oldest.name })
	}
}

// forget closes the ways back of copies.
func (g *gate) forget(which func(copying) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.copies = slices.DeleteFunc(g.copies, func(c copying) bool {
		if which(c) {
			_ = c.flow.Unsubscribe()
			return true
		}
		return false
	})
}

// close ends what the hub has asked for, and takes no more.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.end()
	g.work.Wait()
	g.forget(func(copying) bool { return true })
}
