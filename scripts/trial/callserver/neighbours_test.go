package callserver

import "time"

// neighbours are further shapes: the same happenings in another order, in
// another place, or one upon the other.
var neighbours = []shapeOf{
	{"passed on with replaces while it rings", func(w *world) {
		w.phone["202"].does(answer{status: 200, after: 1500 * time.Millisecond})
		l := w.in("500")
		a := w.at("201")
		w.talk()
		a.offer("sendonly")
		second := w.phone["201"].call("202")
		w.await("DialBegin", "DestChannel", "PJSIP/202")
		w.wait(400)
		a.join(second)
		w.at("202")
		w.talk()
		l.bye()
	}, "201 plain PJSIP/201 transfer; transfer 201; 202  PJSIP/202 caller"},
	{"passed on twice", func(w *world) {
		l := w.in("501")
		a := w.at("201")
		w.talk()
		a.refer("202")
		b := w.at("202")
		w.talk()
		b.refer("203")
		w.at("203")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; 202  PJSIP/202 transfer; transfer 202; 203  PJSIP/203 caller"},
	{"passed on to a ring group", func(w *world) {
		w.phone["203"].does(answer{})
		l := w.in("500")
		a := w.at("201")
		w.talk()
		w.phone["201"].does(answer{status: 486})
		a.refer("600")
		w.at("202")
		w.talk()
		l.bye()
	}, "201 plain PJSIP/201 transfer; transfer 201; rang 201 busy; rang 203 answered_elsewhere; 202  PJSIP/202 caller"},
	{"passed on to a menu", func(w *world) {
		w.in("501")
		a := w.at("201")
		w.talk()
		a.refer("605")
		w.wait(600)
		a.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; inbound Connected"},
	{"passed on to a line outside", func(w *world) {
		l := w.in("521")
		a := w.at("201")
		w.talk()
		a.refer("9555")
		w.await("DialEnd", "DestChannel", "PJSIP/trunk1")
		w.talk()
		l.bye()
	}, "201 plain PJSIP/201 transfer; transfer 201; inbound Connected"},
	{"passed on to a queue and given up there", func(w *world) {
		w.phone["202"].does(answer{})
		l := w.in("500")
		a := w.at("201")
		w.talk()
		a.refer("510")
		w.await("DialBegin", "DestChannel", "PJSIP/202")
		w.wait(800)
		l.bye()
	}, "201 plain PJSIP/201 transfer; transfer 201; left locn2 hangup; rang 202 cancelled; inbound Connected"},
	{"passed on to where nobody is", func(w *world) {
		w.phone["202"].does(answer{})
		l := w.in("501")
		a := w.at("201")
		w.talk()
		a.refer("202")
		w.await("DialBegin", "DestChannel", "PJSIP/202")
		w.wait(800)
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; rang 202 cancelled; inbound Connected"},
	{"an internal call passed on", func(w *world) {
		l := w.phone["201"].call("202")
		b := w.at("202")
		w.talk()
		b.refer("203")
		w.at("203")
		w.talk()
		l.bye()
	}, "201  PJSIP/201 agent; 202  PJSIP/202 transfer; transfer 202; 203  PJSIP/203 caller; internal Connected"},
	{"a ring group with a busy phone and one that rejects", func(w *world) {
		w.phone["201"].does(answer{status: 486})
		w.phone["203"].does(answer{status: 603, after: 100 * time.Millisecond})
		l := w.in("600")
		w.at("202")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 caller; rang 201 busy; rang 203 rejected"},
	{"one of two locals rejects", func(w *world) {
		w.phone["201"].does(answer{status: 603, after: 100 * time.Millisecond})
		w.phone["202"].does(answer{status: 200, after: 900 * time.Millisecond})
		l := w.in("509")
		w.at("202")
		w.talk()
		l.bye()
	}, "202 all Local/202@from-queue/n caller; rang 201 *"},
	{"the member rejects and is asked again", func(w *world) {
		w.phone["201"].does(answer{status: 486, after: 100 * time.Millisecond})
		l := w.in("501")
		w.await("DialEnd", "DestChannel", "PJSIP/201")
		w.phone["201"].does(answer{status: 200, after: 200 * time.Millisecond})
		w.at("201")
		w.talk()
		l.bye()
	}, "rang 201 busy; 201 locn Local/201@from-queue/n caller"},
	{"the caller hangs up while on hold", func(w *world) {
		l := w.in("501")
		a := w.at("201")
		w.talk()
		a.offer("sendonly")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n caller"},
	{"the agent hangs up who holds", func(w *world) {
		w.in("502")
		a := w.at("201")
		w.talk()
		a.offer("sendonly")
		w.talk()
		a.bye()
	}, "201 loc Local/201@from-queue agent"},
	{"the caller hangs up while the agent consults", func(w *world) {
		l := w.in("501")
		a := w.at("201")
		w.talk()
		a.offer("sendonly")
		second := w.up(w.phone["201"].call("202"))
		w.talk()
		l.bye()
		w.talk()
		second.bye()
	}, "201 locn Local/201@from-queue/n caller; 201  PJSIP/201 agent; 202  PJSIP/202 caller"},
	{"forwarded twice", func(w *world) {
		w.phone["201"].does(answer{status: 302, forward: "202"})
		w.phone["202"].does(answer{status: 302, forward: "203"})
		l := w.in("501")
		w.at("203")
		w.talk()
		l.bye()
	}, "203 locn Local/201@from-queue/n caller; rang 201 cancelled; rang 202 cancelled"},
	{"forwarded to a line outside", func(w *world) {
		w.phone["201"].does(answer{status: 302, forward: "9555"})
		l := w.in("201")
		w.await("DialEnd", "DestChannel", "PJSIP/trunk1")
		w.talk()
		l.bye()
	}, "rang 201 cancelled; inbound Connected"},
	{"pickup of a local that is taken out", func(w *world) {
		w.only("202")
		l := w.in("502")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		w.wait(500)
		w.up(w.phone["202"].call("8201"))
		w.talk()
		l.bye()
	}, "202 loc * caller; rang 201 answered_elsewhere"},
	{"pickup of a ring group", func(w *world) {
		w.only("204")
		l := w.in("600")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		w.wait(500)
		w.up(w.phone["204"].call("8201"))
		w.talk()
		l.bye()
	}, "204  PJSIP/204 caller; rang 201 answered_elsewhere; rang 202 answered_elsewhere; rang 203 answered_elsewhere"},
	{"picked up and passed on", func(w *world) {
		w.only("202")
		l := w.in("501")
		w.await("DialBegin", "DestChannel", "PJSIP/201")
		w.wait(500)
		b := w.up(w.phone["202"].call("8201"))
		w.talk()
		w.phone["203"].does(answer{status: 200, after: 200 * time.Millisecond})
		b.refer("203")
		w.at("203")
		w.talk()
		l.bye()
	}, "202 locn * transfer; transfer 202; 203  PJSIP/203 caller; rang 201 answered_elsewhere"},
	{"parked until it comes back", func(w *world) {
		l := w.in("201")
		a := w.at("201")
		w.talk()
		a.refer("73")
		w.await("ParkedCall")
		w.wait(300)
		a.bye()
		w.await("ParkedCallTimeOut")
		w.wait(300)
		w.at("201")
		w.talk()
		l.bye()
	}, "201  PJSIP/201 transfer; transfer 201; 201  PJSIP/201 caller"},
	{"two agents of a pool at once", func(w *world) {
		one := w.up(w.phone["201"].call("790"))
		two := w.up(w.phone["202"].call("791"))
		a := w.in("518")
		w.await("AgentConnect")
		w.talk()
		w.forget("AgentConnect")
		b := w.in("518")
		w.await("AgentConnect")
		w.talk()
		a.bye()
		w.wait(400)
		b.bye()
		w.wait(700)
		one.bye()
		two.bye()
	}, "* pools * caller; * pools * caller"},
	{"a pool's agent hangs up", func(w *world) {
		agent := w.up(w.phone["201"].call("790"))
		w.in("504")
		w.await("AgentConnect")
		w.talk()
		agent.bye()
	}, "201 pool Local/1001@agents agent"},
	{"redirected to another queue", func(w *world) {
		l := w.in("500")
		w.at("201")
		c := w.await("QueueCallerJoin")
		w.talk()
		w.do("Redirect", "Channel", c.Get("Channel"), "Context", "queues", "Exten", "510", "Priority", "1")
		w.at("202")
		w.talk()
		l.bye()
	}, "201 plain PJSIP/201 transfer; 202 locn2 Local/202@from-queue/n caller"},
	{"both redirected to a conference", func(w *world) {
		l := w.in("201")
		a := w.at("201")
		w.talk()
		c := w.await("Newchannel", "Channel", "PJSIP/trunk1").Get("Channel")
		other := w.await("BridgeEnter", "Channel", "PJSIP/201").Get("Channel")
		w.do("Redirect", "Channel", c, "ExtraChannel", other, "Context", "features", "Exten", "450", "Priority", "1",
			"ExtraContext", "features", "ExtraExten", "450", "ExtraPriority", "1")
		w.wait(1500)
		l.bye()
		w.wait(500)
		a.bye()
	}, "201  PJSIP/201 caller"},
	{"a supervisor barges in", func(w *world) {
		l := w.in("500")
		w.at("201")
		s := w.up(w.phone["203"].call("47201"))
		w.talk()
		s.bye()
		w.wait(300)
		l.bye()
	}, "201 plain PJSIP/201 caller"},
	{"a menu before the queue", func(w *world) {
		l := w.up(w.in("519"))
		w.at("201")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n caller"},
	{"an outbound call passed on with replaces", func(w *world) {
		l := w.up(w.phone["201"].call("9555"))
		w.talk()
		l.offer("sendonly")
		second := w.up(w.phone["201"].call("202"))
		w.talk()
		l.join(second)
		w.await("AttendedTransfer")
		w.talk()
		w.trunk.latest().bye()
	}, "201  PJSIP/201 transfer; transfer 201; 202  PJSIP/202 caller; outbound Connected; internal Connected"},
	{"paused in mid-call", func(w *world) {
		l := w.in("501")
		w.at("201")
		w.do("QueuePause", "Interface", "Local/201@from-queue/n", "Paused", "true")
		w.talk()
		w.do("QueuePause", "Interface", "Local/201@from-queue/n", "Paused", "false")
		w.wait(300)
		l.bye()
	}, "201 locn Local/201@from-queue/n caller"},
	{"a fact of the dialplan", func(w *world) { l := w.in("522"); w.at("201"); w.talk(); l.bye() }, "sale 4711; 201 locn Local/201@from-queue/n caller"},
	{"recorded below a folder of its own", func(w *world) { l := w.in("520"); w.at("201"); w.talk(); l.bye() }, "201 locn Local/201@from-queue/n caller rec"},
}
