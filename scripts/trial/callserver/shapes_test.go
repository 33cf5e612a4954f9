package callserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callrelay/scripts/trial"
)

// shapes are calls as people have them, and who speaks in them: what must
// arrive beside the times, which the channel event log gives. A line is
// "direction result", a segment "device queue agent reason", a transfer
// "transfer device", "left queue result", "missed rang...", "rang device result".
var shapes = []shapeOf{
	{"plain", func(w *world) { l := w.up(w.in("500")); w.at("201"); w.talk(); l.bye() }, "201 plain PJSIP/201 caller"},
	{"plain, the agent hangs up", func(w *world) { w.in("500"); a := w.at("201"); w.talk(); a.bye() }, "201 plain PJSIP/201 agent"},
	{"local /n", func(w *world) { l := w.in("501"); w.at("201"); w.talk(); l.bye() }, "201 locn Local/201@from-queue/n caller"},
	{"local /n, the agent hangs up", func(w *world) { w.in("501"); a := w.at("201"); w.talk(); a.bye() }, "201 locn Local/201@from-queue/n agent"},
	{"local", func(w *world) { l := w.in("502"); w.at("201"); w.talk(); l.bye() }, "201 loc Local/201@from-queue caller"},
	{"local, the agent hangs up", func(w *world) { w.in("502"); a := w.at("201"); w.talk(); a.bye() }, "201 loc Local/201@from-queue agent"},
	{"chain of locals", func(w *world) { w.phone["203"].does(answer{}); l := w.in("503"); w.at("201"); w.talk(); l.bye() }, "201 chain Local/301@followme/n caller; rang 203 answered_elsewhere"},
	{"local /n recorded by the queue", func(w *world) { l := w.in("505"); w.at("201"); w.talk(); l.bye() }, "201 locn Local/201@from-queue/n caller rec"},
	{"local recorded by the extension", func(w *world) { l := w.in("506"); w.at("201"); w.talk(); l.bye() }, "201 locrec Local/201@from-queue-rec caller rec"},
	{"local recorded at the phone", func(w *world) { l := w.in("507"); w.at("201"); w.talk(); l.bye() }, "201 locu Local/201@from-queue-u caller rec"},
	{"recorded on the caller's leg", func(w *world) { l := w.in("508"); w.at("201"); w.talk(); l.bye() }, "201 locn Local/201@from-queue/n caller rec"},
	{"the dialplan sets the number", func(w *world) { l := w.in("517"); w.at("201"); w.talk(); l.bye() }, "201 locn Local/201@from-queue/n caller"},
	{"hold", func(w *world) {
		l := w.in("500")
		a := w.at("201")
		w.talk()
		a.offer("sendonly")
		w.talk()
		a.offer("sendrecv")
		w.talk()
		l.bye()
	}, "201 plain PJSIP/201 caller"},

	blind("500", "plain PJSIP/201", "202", "202  PJSIP/202 caller"),
	blind("501", "locn Local/201@from-queue/n", "202", "202  PJSIP/202 caller"),
	blind("502", "loc Local/201@from-queue", "202", "202  PJSIP/202 caller"),
	blind("505", "locn Local/201@from-queue/n", "202", "202  PJSIP/202 caller"),
	blind("507", "locu Local/201@from-queue-u", "202", "202  PJSIP/202 caller"),
	blind("501", "locn Local/201@from-queue/n", "510", "202 locn2 Local/202@from-queue/n caller"),
	blind("502", "loc Local/201@from-queue", "510", "202 locn2 Local/202@from-queue/n caller"),
	blind("600", " PJSIP/201", "202", "202  PJSIP/202 caller"),
	blind("201", " PJSIP/201", "202", "202  PJSIP/202 caller"),

	replaced("500", "plain PJSIP/201", "202", "202  PJSIP/202 caller"),
	replaced("501", "locn Local/201@from-queue/n", "202", "202  PJSIP/202 caller"),
	replaced("502", "loc Local/201@from-queue", "202", "202  PJSIP/202 caller"),
	replaced("201", " PJSIP/201", "202", "202  PJSIP/202 caller"),
	replaced("501", "locn Local/201@from-queue/n", "510", "202 locn2 Local/202@from-queue/n caller"),

	consulted("500", "plain PJSIP/201", "202", "202  PJSIP/202 caller"),
	consulted("501", "locn Local/201@from-queue/n", "202", "202  PJSIP/202 caller"),
	consulted("501", "locn Local/201@from-queue/n", "510", "202 locn2 Local/202@from-queue/n caller"),

	{"a consultation that fails", func(w *world) {
		l := w.in("501")
		w.at("201")
		w.talk()
		second := w.up(w.phone["201"].call("202"))
		w.talk()
		second.bye()
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n caller; 201  PJSIP/201 agent; 202  PJSIP/202 caller"},

	{"pool, two calls", func(w *world) {
		agent := w.up(w.phone["201"].call("790"))
		for range 2 {
			l := w.in("504")
			w.await("AgentConnect")
			w.talk()
			l.bye()
			w.wait(700)
			w.forget("AgentConnect")
		}
		agent.bye()
	}, "201 pool Local/1001@agents caller; 201 pool Local/1001@agents caller"},

	{"ring group", func(w *world) {
		w.only("202")
		l := w.in("600")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller; rang 201 answered_elsewhere; rang 203 answered_elsewhere"},
	{"ring group of locals", func(w *world) {
		w.only("202")
		l := w.in("601")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller; rang 201 answered_elsewhere"},
	{"follow-me", func(w *world) {
		w.only("203")
		l := w.in("602")
		w.at("203")
		w.talk()
		l.bye()
	}, "203  PJSIP/203 caller; rang 201 answered_elsewhere"},
	{"ring group recorded on the caller's leg", func(w *world) {
		w.only("202")
		l := w.in("603")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller rec; rang 201 answered_elsewhere"},
	{"one after the other", func(w *world) {
		w.only("202")
		l := w.in("604")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller; rang 201 no_answer"},
	{"busy, then the other", func(w *world) {
		w.phone["201"].does(answer{status: 486, after: 200 * time.Millisecond})
		l := w.in("604")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller; rang 201 busy"},
	{"rejected, then the other", func(w *world) {
		w.phone["201"].does(answer{status: 603, after: 200 * time.Millisecond})
		l := w.in("604")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller; rang 201 rejected"},
	{"nobody in a group, the caller gives up", func(w *world) {
		w.only("")
		l := w.in("600")
		w.wait(1500)
		l.bye()
	}, "missed 201 202 203; rang 201 cancelled; rang 202 cancelled; rang 203 cancelled; inbound Missed"},
	{"a menu and no phone", func(w *world) { w.up(w.in("605")) }, "missed; inbound Missed"},

	{"direct", func(w *world) { l := w.in("201"); w.at("201"); w.talk(); l.bye() }, "201  PJSIP/201 caller"},
	{"direct, nobody there", func(w *world) { w.only(""); l := w.in("201"); w.wait(1500); l.bye() }, "missed 201; rang 201 cancelled; inbound Missed"},
	{"direct, busy", func(w *world) { w.phone["201"].does(answer{status: 486}); w.in("201") }, "missed 201; rang 201 busy; inbound Busy"},
	{"forwarded by the phone", func(w *world) {
		w.phone["201"].does(answer{status: 302, forward: "202"})
		l := w.in("201")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller; rang 201 cancelled"},
	{"forwarded by the member's phone", func(w *world) {
		w.phone["201"].does(answer{status: 302, forward: "202"})
		l := w.in("500")
		w.at("202")
		w.talk()
		l.bye()
	}, "202 plain PJSIP/201 caller; rang 201 cancelled"},
	{"forwarded behind a local", func(w *world) {
		w.phone["201"].does(answer{status: 302, forward: "202"})
		l := w.in("501")
		w.at("202")
		w.talk()
		l.bye()
	}, "202 locn Local/201@from-queue/n caller; rang 201 cancelled"},

	{"internal", func(w *world) { l := w.phone["201"].call("202"); w.at("202"); w.talk(); l.bye() }, "201  PJSIP/201 agent; 202  PJSIP/202 caller; internal Connected"},
	{"internal to a queue", func(w *world) { l := w.phone["203"].call("501"); w.at("201"); w.talk(); l.bye() }, "203  PJSIP/203 agent; 201 locn Local/201@from-queue/n caller; internal Connected"},
	{"outbound", func(w *world) { l := w.up(w.phone["201"].call("9555")); w.talk(); l.bye() }, "201  PJSIP/201 agent; outbound Connected"},
	{"outbound recorded", func(w *world) { l := w.up(w.phone["201"].call("9551")); w.talk(); l.bye() }, "201  PJSIP/201 agent rec; outbound Connected"},
	{"outbound busy", func(w *world) { w.trunk.does(answer{status: 486}); w.phone["201"].call("9555") }, "outbound Busy"},
	{"outbound passed on", func(w *world) {
		l := w.up(w.phone["201"].call("9555"))
		w.talk()
		l.refer("202")
		w.at("202")
		w.talk()
		w.trunk.latest().bye()
	}, "201  PJSIP/201 transfer; transfer 201; 202  PJSIP/202 caller; outbound Connected"},
	{"click to call", func(w *world) {
		w.do("Originate", "Channel", "PJSIP/201", "Context", "from-internal", "Exten", "9555", "Priority", "1", "Async", "true")
		a := w.at("201")
		w.await("BridgeEnter")
		w.talk()
		a.bye()
	}, "201  PJSIP/201 agent; outbound Connected"},
	{"queue call-back", func(w *world) {
		w.do("Originate", "Channel", "Local/9555@from-internal/n", "Context", "queues", "Exten", "501", "Priority", "1", "Async", "true")
		a := w.at("201")
		w.talk()
		a.bye()
	}, "201 locn Local/201@from-queue/n agent; outbound Connected"},

	{"pickup of a plain member", func(w *world) {
		w.only("202")
		l := w.in("500")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		w.wait(500)
		w.up(w.phone["202"].call("8201"))
		w.talk()
		l.bye()
	}, "202 plain * caller; rang 201 answered_elsewhere"},
	{"pickup of a local member", func(w *world) {
		w.only("202")
		l := w.in("501")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		w.wait(500)
		w.up(w.phone["202"].call("8201"))
		w.talk()
		l.bye()
	}, "202 locn * caller; rang 201 answered_elsewhere"},
	{"pickup of a direct call", func(w *world) {
		w.only("204")
		l := w.in("201")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		w.wait(500)
		w.up(w.phone["204"].call("8"))
		w.talk()
		l.bye()
	}, "204  PJSIP/204 caller; rang 201 answered_elsewhere"},

	{"park and retrieval", func(w *world) {
		l := w.in("501")
		a := w.at("201")
		w.talk()
		a.refer("70")
		slot := w.await("ParkedCall").Get("ParkingSpace")
		w.wait(600)
		a.bye()
		b := w.up(w.phone["202"].call(slot))
		w.talk()
		l.bye()
		_ = b
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; 202  PJSIP/202 caller"},
	{"parked and given up", func(w *world) {
		l := w.in("500")
		a := w.at("201")
		w.talk()
		a.refer("70")
		w.await("ParkedCall")
		w.wait(600)
		a.bye()
		w.wait(600)
		l.bye()
	}, "201 plain PJSIP/201 transfer; transfer 201"},
	{"conference", func(w *world) {
		l := w.up(w.in("450"))
		a := w.up(w.phone["201"].call("450"))
		b := w.up(w.phone["202"].call("450"))
		w.talk()
		a.bye()
		w.talk()
		b.bye()
		w.wait(200)
		l.bye()
	}, "201  PJSIP/201 agent; 202  PJSIP/202 agent"},
	{"a supervisor listens", func(w *world) {
		l := w.in("500")
		w.at("201")
		s := w.up(w.phone["203"].call("46201"))
		w.talk()
		s.bye()
		w.wait(300)
		l.bye()
	}, "201 plain PJSIP/201 caller"},

	{"the caller gives up", func(w *world) {
		w.only("")
		l := w.in("501")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		w.wait(800)
		l.bye()
	}, "left locn hangup; missed 201; rang 201 cancelled; inbound Abandoned"},
	{"the queue's time is up", func(w *world) { w.only(""); w.in("511") }, "left plain timeout; missed 201; rang 201 *; inbound Deflected"},
	{"a queue without agents", func(w *world) { w.in("512") }, "left empty no_agents; missed; inbound Deflected"},
	{"left by key", func(w *world) {
		w.only("")
		w.in("514")
		c := w.await("QueueCallerJoin")
		w.await("DialBegin")
		w.wait(500)
		w.do("PlayDTMF", "Channel", c.Get("Channel"), "Digit", "1", "Receive", "true")
	}, "left keyq key; missed 201; rang 201 cancelled; inbound Deflected"},
	{"a queue that is full", func(w *world) {
		w.only("")
		l := w.in("513")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		second := w.in("513")
		<-second.goneCh
		l.bye()
	}, "left full hangup; left full full; missed 201; missed; rang 201 cancelled; inbound Abandoned; inbound Deflected"},
	{"a pool's agent passes on", func(w *world) {
		agent := w.up(w.phone["201"].call("790"))
		l := w.in("504")
		w.await("AgentConnect")
		w.talk()
		agent.refer("202")
		w.at("202")
		w.talk()
		l.bye()
	}, "201 pool Local/1001@agents transfer; transfer 201; 202  PJSIP/202 caller"},
	{"passed on before the answer", func(w *world) {
		w.phone["202"].does(answer{status: 200, after: 1500 * time.Millisecond})
		l := w.in("501")
		a := w.at("201")
		w.talk()
		enter := w.await("BridgeEnter", "Channel", "PJSIP/201")
		w.do("Atxfer", "Channel", enter.Get("Channel"), "Context", "from-internal", "Exten", "202")
		w.await("DialBegin", "DestChannel", "PJSIP/202")
		w.wait(400)
		a.bye()
		w.at("202")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; 202  PJSIP/202 caller"},
	{"the caller's phone passes on", func(w *world) {
		c := w.phone["203"].call("501")
		a := w.at("201")
		w.talk()
		c.refer("202")
		w.at("202")
		w.talk()
		a.bye()
	}, "203  PJSIP/203 transfer; transfer 203; 201 locn Local/201@from-queue/n agent; 202  PJSIP/202 caller; internal Connected"},
	{"a second call to the phone", func(w *world) {
		one := w.in("201")
		w.at("201")
		w.talk()
		two := w.up(w.in("201"))
		w.talk()
		two.bye()
		w.wait(300)
		one.bye()
	}, "201  PJSIP/201 caller; 201  PJSIP/201 caller; inbound Connected; inbound Connected"},
	{"redirected", func(w *world) {
		l := w.in("501")
		w.at("201")
		c := w.await("QueueCallerJoin")
		w.talk()
		w.do("Redirect", "Channel", c.Get("Channel"), "Context", "from-internal", "Exten", "202", "Priority", "1")
		w.at("202")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; 202  PJSIP/202 caller"},
	{"recorded again", func(w *world) {
		l := w.in("516")
		w.at("201")
		leg := w.await("MixMonitorStart").Get("Channel")
		w.talk()
		w.do("StopMixMonitor", "Channel", leg)
		w.wait(400)
		w.do("MixMonitor", "Channel", leg, "File", "/cs/rec/second-"+token()+".wav")
		w.wait(1500)
		l.bye()
	}, "201 plain PJSIP/201 caller rec"},
	{"two queues", func(w *world) {
		w.only("202")
		l := w.in("515")
		w.at("202")
		w.talk()
		l.bye()
	}, "left locn timeout; 202 locn2 Local/202@from-queue/n caller; rang 201 *"},
	{"two locals ring", func(w *world) {
		w.only("202")
		l := w.in("509")
		w.at("202")
		w.talk()
		l.bye()
	}, "202 all Local/202@from-queue/n caller; rang 201 answered_elsewhere"},
}

type shapeOf = struct {
	name string
	run  func(w *world)
	want string
}

// blind passes the caller on with REFER.
func blind(exten, who, to, next string) shapeOf {
	return shapeOf{"blind " + exten + " to " + to, func(w *world) {
		if exten == "600" {
			w.only("201")
		}
		l := w.in(exten)
		a := w.at("201")
		w.phone["202"].does(answer{status: 200, after: 200 * time.Millisecond})
		w.talk()
		a.refer(to)
		w.at("202")
		w.talk()
		l.bye()
	}, "201 " + who + " transfer; transfer 201; " + next + map[bool]string{true: "; rang 202 answered_elsewhere; rang 203 answered_elsewhere"}[exten == "600"]}
}

// replaced passes the caller on as a desk phone does, with REFER and Replaces.
func replaced(exten, who, to, next string) shapeOf {
	return shapeOf{"attended " + exten + " to " + to, func(w *world) {
		l := w.in(exten)
		a := w.at("201")
		w.talk()
		a.offer("sendonly")
		second := w.up(w.phone["201"].call(to))
		w.talk()
		a.join(second)
		w.await("AttendedTransfer")
		w.talk()
		l.bye()
	}, "201 " + who + " transfer; transfer 201; " + next}
}

// consulted passes the caller on as Asterisk itself does.
func consulted(exten, who, to, next string) shapeOf {
	return shapeOf{"atxfer " + exten + " to " + to, func(w *world) {
		l := w.in(exten)
		a := w.at("201")
		w.talk()
		enter := w.await("BridgeEnter", "Channel", "PJSIP/201")
		w.do("Atxfer", "Channel", enter.Get("Channel"), "Context", "from-internal", "Exten", to)
		w.at("202")
		w.talk()
		a.bye()
		w.await("AttendedTransfer")
		w.talk()
		l.bye()
	}, "201 " + who + " transfer; transfer 201; " + next}
}

// only has one phone answer, and the others ring.
func (w *world) only(name string) {
	for n, p := range w.phone {
		if n != name {
			p.does(answer{})
		}
	}
}

// forget drops the events of a name.
func (w *world) forget(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, m := range w.told {
		if m.Event() == name {
			w.told[i] = append(slices.Clone(m), m[0])
			w.told[i][0].Value = "-" + name
		}
	}
}

// TestShapes places a call of each shape, and holds what arrives against who
// spoke, and against the channel event log: each phone that was in a bridge is
// one segment, with its times, and nobody else.
func TestShapes(t *testing.T) {
	relay, receiver := besidePBX(t)
	w := newWorld(t)
	marks := 0
	for _, shape := range slices.Concat(shapes, neighbours, further) {
		t.Run(shape.name, func(t *testing.T) {
			w.t = t
			w.reset()
			before := len(webhooks(t, receiver))
			shape.run(w)
			w.quiet()
			w.wait(300)
			marks++
			w.do("UserEvent", "UserEvent", "shape_done") // the relay has heard all when it has this
			relay.Until("the relay to hear all", func() bool {
				return relay.Metric(`relay_events_unbound_total{event="shape_done"}`) == strconv.Itoa(marks)
			})
			relay.Until("all to be delivered", func() bool { return relay.Metric(`relay_pending{service="all"}`) == "0" })
			got := webhooks(t, receiver)[before:]
			w.save(strings.ReplaceAll(strings.ReplaceAll(shape.name, " ", "-"), "/", ""))
			judge(t, got, shape.want)
			w.times(t, got)
			w.billed(t, got)
			if t.Failed() {
				for _, g := range got {
					t.Log(strings.TrimSpace(fmt.Sprintf("%s %s %s", g.UII, g.Event, g.line())))
				}
			}
		})
	}
	once(t, receiver)
	latency(t, receiver)
}

// latency tells how long it took from the call server's stamp of a ring to the
// receiver.
func latency(t *testing.T, receiver *trial.Receiver) {
	t.Helper()
	var took []time.Duration
	for _, a := range receiver.Arrivals() {
		var w webhook
		if json.Unmarshal([]byte(a.Body), &w) != nil || w.Event != "agent_ring" {
			continue
		}
		micros, err := strconv.ParseInt(w.ID[strings.LastIndex(w.ID, "/")+1:], 10, 64)
		if err == nil {
			took = append(took, a.At.Sub(time.UnixMicro(micros)))
		}
	}
	slices.Sort(took)
	if n := len(took); n > 0 {
		t.Logf("from the ring to the receiver, of %d: p50 %v, p99 %v, longest %v", n, took[n/2], took[n*99/100], took[n-1])
	}
}

// line is what a webhook says, as shapes have it.
func (w webhook) line() string {
	device := strings.TrimPrefix(w.Device, "PJSIP/")
	switch w.Event {
	case "agent_termination":
		rec := ""
		if w.File != "" {
			rec = " rec"
		}
		return fmt.Sprintf("%s %s %s %s%s", device, w.Queue, w.Agent, w.Reason, rec)
	case "transfer_termination":
		return "transfer " + device
	case "queue_abandon":
		return "left " + w.Queue + " " + w.QueueResult
	case "agent_ring_end":
		return "rang " + device + " " + w.RingResult
	case "call_missed":
		return strings.TrimSpace("missed " + strings.NewReplacer("[", "", "]", "", `"`, "", ",", " ", "PJSIP/", "").Replace(w.Rang))
	case "sale":
		return strings.TrimSpace("sale " + w.Queue + w.Order)
	case "call_end":
		return w.Direction + " " + w.CallResult
	}
	return ""
}

// judge compares the lines. Ends of calls are compared where the shape names
// one, others must be connected calls.
func judge(t *testing.T, got []webhook, want string) {
	t.Helper()
	wants := strings.Split(want, "; ")
	ends := slices.ContainsFunc(wants, func(l string) bool {
		return strings.HasPrefix(l, "inbound") || strings.HasPrefix(l, "outbound") || strings.HasPrefix(l, "internal")
	})
	for _, g := range got {
		l := g.line()
		if l == "" || g.Event == "call_end" && !ends {
			continue
		}
		i := slices.IndexFunc(wants, func(w string) bool { return matches(w, l) })
		if i < 0 {
			t.Errorf("not wanted: %s", l)
			continue
		}
		wants = slices.Delete(wants, i, i+1)
	}
	for _, l := range wants {
		t.Errorf("missing: %s", l)
	}
}

func matches(want, got string) bool {
	w, g := strings.Split(want, " "), strings.Split(got, " ")
	if len(w) != len(g) {
		return len(g) == len(w)+1 && g[len(g)-1] == "rec" && matches(want+" rec", got) && !strings.HasSuffix(want, " rec")
	}
	for i := range w {
		if w[i] != "*" && w[i] != g[i] {
			return false
		}
	}
	return true
}

// times holds the segments against the log: one for each channel of a phone
// that was in bridges.
func (w *world) times(t *testing.T, got []webhook) {
	t.Helper()
	log := w.cel()
	for _, g := range only(got, "agent_termination") {
		from, to := float64(g.Start)/1e3, float64(g.End)/1e3
		ok := slices.ContainsFunc(slices.Collect(maps.Values(log)), func(s *spoken) bool {
			return s.device == g.Device && (from > s.from-0.05 && to < s.to+0.05)
		})
		if !ok {
			t.Errorf("%s from %.3f to %.3f: the log has %s", g.Device, from, to, logged(log))
		}
		if exact := slices.ContainsFunc(slices.Collect(maps.Values(log)), func(s *spoken) bool {
			return s.device == g.Device && near50(s.from, from) && near50(s.to, to)
		}); !exact {
			t.Logf("%s from %.3f to %.3f: within the log's %s", g.Device, from, to, logged(log))
		}
	}
}

// billed holds the segments against the call detail records (CDR): a phone of
// one is in a record that was answered, and each phone that a record says has
// answered another, and talked, has one.
func (w *world) billed(t *testing.T, got []webhook) {
	t.Helper()
	answered, talked := map[string]bool{}, map[string]bool{}
	for _, m := range w.heard() {
		if m.Event() != "Cdr" || m.Get("Disposition") != "ANSWERED" {
			continue
		}
		from, to := deviceOf(m.Get("Channel")), deviceOf(m.Get("DestinationChannel"))
		answered[from], answered[to] = true, true
		talked[to] = talked[to] || m.Get("BillableSeconds") != "0"
	}
	segments := map[string]bool{}
	for _, g := range only(got, "agent_termination") {
		segments[g.Device] = true
		if !answered[g.Device] {
			t.Errorf("%s: no call detail record has it answer or call", g.Device)
		}
	}
	for device := range talked {
		if talked[device] && strings.HasPrefix(device, "PJSIP/2") && !segments[device] {
			t.Errorf("%s: a call detail record has it talk, no segment does", device)
		}
	}
}

// deviceOf is a channel's name without its serial number.
func deviceOf(channel string) string { return channel[:max(strings.LastIndex(channel, "-"), 0)] }

func logged(log map[string]*spoken) string {
	var b strings.Builder
	for _, channel := range slices.Sorted(maps.Keys(log)) {
		fmt.Fprintf(&b, " %s %.3f-%.3f", channel, log[channel].from, log[channel].to)
	}
	return b.String()
}
