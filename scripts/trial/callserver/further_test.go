package callserver

import "time"

// further are shapes in which a phone answers and speaks with nobody yet: what
// it is asked, or told, comes first.
var further = []shapeOf{
	{"a supervisor listens to an extension", func(w *world) {
		l := w.in("500")
		w.at("201")
		s := w.up(w.phone["203"].call("48500"))
		w.talk()
		s.bye()
		w.wait(300)
		l.bye()
	}, "201 plain PJSIP/201 caller; inbound Connected"},
	{"asked first and takes the call", func(w *world) {
		l := w.in("606")
		w.at("201")
		w.await("BridgeEnter", "Channel", "PJSIP/201")
		w.talk()
		l.bye()
	}, "201  PJSIP/201 caller"},
	{"asked first and does not take the call", func(w *world) {
		l := w.in("607")
		w.at("202")
		w.await("BridgeEnter", "Channel", "PJSIP/202")
		w.talk()
		l.bye()
	}, "rang 201 rejected; 202  PJSIP/202 caller; inbound Connected"},
	{"asked first while the caller gives up", func(w *world) {
		l := w.in("608")
		w.at("201")
		w.wait(300)
		l.bye()
	}, "rang 201 cancelled; missed 201; inbound Missed"},
	{"an announcement to the agent", func(w *world) {
		l := w.in("523")
		w.at("201")
		w.await("AgentConnect")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n caller"},
	{"an announcement to a plain agent", func(w *world) {
		l := w.in("524")
		w.at("201")
		w.await("BridgeEnter", "Channel", "PJSIP/201")
		w.talk()
		l.bye()
	}, "201 plain PJSIP/201 caller"},
	{"the caller gives up during the announcement", func(w *world) {
		l := w.in("524")
		w.at("201")
		w.wait(300)
		l.bye()
	}, "rang 201 cancelled; left plain hangup; missed 201; inbound Abandoned"},
	{"the agent hangs up during the announcement", func(w *world) {
		w.phone["201"].does(answer{status: 200, after: 200 * time.Millisecond})
		l := w.in("524")
		a := w.at("201")
		w.wait(300)
		w.phone["201"].does(answer{})
		a.bye()
		w.wait(2500)
		l.bye()
	}, "rang 201 rejected; rang 201 cancelled; left plain hangup; missed 201; inbound Abandoned"},
	{"passed on to the same queue", func(w *world) {
		l := w.in("501")
		a := w.at("201")
		w.talk()
		w.phone["201"].does(answer{status: 200, after: 900 * time.Millisecond})
		a.refer("501")
		w.wait(600)
		w.phone["201"].forget()
		w.at("201")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; 201 locn Local/201@from-queue/n caller"},
	{"parked twice", func(w *world) {
		l := w.in("501")
		a := w.at("201")
		w.talk()
		a.refer("70")
		slot := w.await("ParkedCall").Get("ParkingSpace")
		w.wait(600)
		a.bye()
		b := w.up(w.phone["202"].call(slot))
		w.talk()
		w.forget("ParkedCall")
		b.refer("70")
		slot = w.await("ParkedCall").Get("ParkingSpace")
		w.wait(600)
		b.bye()
		w.up(w.phone["203"].call(slot))
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; 202  PJSIP/202 transfer; transfer 202; 203  PJSIP/203 caller"},
	{"held and passed on", func(w *world) {
		l := w.in("501")
		a := w.at("201")
		w.talk()
		a.offer("sendonly")
		w.talk()
		a.refer("202")
		w.at("202")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; 202  PJSIP/202 caller"},
	{"a pool's agent consults", func(w *world) {
		agent := w.up(w.phone["201"].call("790"))
		l := w.in("504")
		w.await("AgentConnect")
		w.talk()
		second := w.up(w.phone["201"].call("202"))
		w.talk()
		second.bye()
		w.talk()
		l.bye()
		w.wait(700)
		agent.bye()
	}, "201 pool Local/1001@agents caller; 201  PJSIP/201 agent; 202  PJSIP/202 caller"},
	{"recorded twice at once", func(w *world) {
		l := w.in("525")
		w.at("201")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n caller rec"},
	{"a queue behind a local channel", func(w *world) {
		l := w.in("609")
		w.at("201")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n caller"},
	{"a ring group, then a queue", func(w *world) {
		w.only("201")
		w.phone["201"].does(answer{status: 486})
		l := w.in("610")
		w.await("DialEnd", "DestChannel", "PJSIP/201")
		w.phone["201"].does(answer{status: 200, after: 200 * time.Millisecond})
		w.at("201")
		w.talk()
		l.bye()
	}, "rang 201 busy; rang 202 no_answer; 201 locn Local/201@from-queue/n caller"},
	{"recorded on the caller's leg and passed on", func(w *world) {
		l := w.in("508")
		a := w.at("201")
		w.talk()
		a.refer("202")
		w.at("202")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer rec; transfer 201; 202  PJSIP/202 caller rec"},
	{"passed on by the manager", func(w *world) {
		l := w.in("501")
		w.at("201")
		w.talk()
		w.do("BlindTransfer", "Channel", w.await("BridgeEnter", "Channel", "PJSIP/201").Get("Channel"), "Context", "from-internal", "Exten", "202")
		w.at("202")
		w.talk()
		l.bye()
	}, "201 locn Local/201@from-queue/n transfer; transfer 201; 202  PJSIP/202 caller"},
	{"click to call by a local channel", func(w *world) {
		w.do("Originate", "Channel", "Local/201@ext-local/n", "Context", "from-internal", "Exten", "9555", "Priority", "1", "Async", "true")
		a := w.at("201")
		w.await("BridgeEnter")
		w.talk()
		a.bye()
	}, "201  PJSIP/201 agent; outbound Connected"},
	{"a member who is asked and does not take the call", func(w *world) {
		l := w.in("526")
		w.await("DialEnd", "DestChannel", "PJSIP/201")
		w.phone["201"].does(answer{})
		w.wait(3000)
		l.bye()
	}, "rang 201 rejected; rang 201 cancelled; left ask hangup; missed 201; inbound Abandoned"},
	{"a member who is a group", func(w *world) {
		w.only("202")
		l := w.in("527")
		w.at("202")
		w.talk()
		l.bye()
	}, "202 group Local/600@groups/n caller; rang 201 answered_elsewhere; rang 203 answered_elsewhere"},
	{"a group of locals of which one is passed on", func(w *world) {
		w.only("202")
		l := w.in("601")
		b := w.at("202")
		w.talk()
		w.phone["203"].does(answer{status: 200, after: 200 * time.Millisecond})
		b.refer("203")
		w.at("203")
		w.talk()
		l.bye()
	}, "202  PJSIP/202 transfer; transfer 202; rang 201 answered_elsewhere; 203  PJSIP/203 caller"},
	{"one phone that stands in two places", func(w *world) {
		l := w.in("611")
		w.at("201")
		w.talk()
		l.bye()
	}, "201  PJSIP/201 caller; rang 201 answered_elsewhere"},
	{"two plain members ring", func(w *world) {
		w.only("202")
		l := w.in("528")
		w.at("202")
		w.talk()
		l.bye()
	}, "202 plains PJSIP/202 caller; rang 201 answered_elsewhere"},
	{"passed on by keys", func(w *world) {
		l := w.in("529")
		w.at("201")
		w.talk()
		channel := w.await("BridgeEnter", "Channel", "PJSIP/201").Get("Channel")
		for _, digit := range []string{"#", "2", "0", "2"} {
			w.do("PlayDTMF", "Channel", channel, "Digit", digit, "Receive", "true")
			w.wait(400)
		}
		w.at("202")
		w.talk()
		l.bye()
	}, "201 keys Local/201@from-queue-plain/n transfer; transfer 201; 202  PJSIP/202 caller"},
	{"an outbound call that finds no line", func(w *world) { w.trunk.does(answer{status: 503}); w.phone["201"].call("9555") }, "outbound Failed"},
	{"a phone that cannot be reached", func(w *world) {
		w.phone["201"].does(answer{status: 503, after: 100 * time.Millisecond})
		w.in("201")
	}, "rang 201 unreachable; missed 201; inbound Failed"},
	{"a phone that is not there at the moment", func(w *world) {
		w.phone["201"].does(answer{status: 480, after: 100 * time.Millisecond})
		w.in("201")
	}, "rang 201 *; missed 201; inbound *"},
}
