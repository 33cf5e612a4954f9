package asterisk

import (
	"cmp"
	"strings"
	"time"

	"callrelay/relay/source"
	"callrelay/relay/source/asterisk/ami"
)

// fileVariable is the channel variable that MixMonitor sets.
const fileVariable = "MIXMONITOR_FILENAME"

// machine turns manager events into call events: it translates them into what
// its [tracker] follows. It does no I/O and reads no clock. It is not safe for
// concurrent use.
type machine struct {
	tracker
	hearing hearing
}

func newMachine(name string, queues, patterns []string, folder string) *machine {
	return &machine{tracker: newTracker(reporter{source.Reporter{Source: name, Queues: queues}, folder}, newPhones(patterns))}
}

// apply takes the next manager event, with its stamp, and returns the call
// events that follow from it, in order.
func (m *machine) apply(ev ami.Message, at time.Time) []source.Event {
	m.overdue(at)
	m.hearing.hear(ev)
	m.translate(ev, at)
	return m.Raised()
}

// tick takes a moment of Asterisk's clock, and returns what is due by then.
func (m *machine) tick(at time.Time) []source.Event {
	if at.After(m.Last) {
		m.Last = at
	}
	m.overdue(at)
	afterGap{m}.recount(at)
	return m.Raised()
}

// translate finds what an event means, and takes it.
func (m *machine) translate(ev ami.Message, at time.Time) {
	name := ev.Event()
	switch name {
	case "QueueMemberAdded":
		m.learn(ev)
	case "AgentComplete":
		m.agentComplete(ev.Get("DestUniqueid"), ev.Get("Linkedid"), *offerOf(ev), ev.Get("Reason"), at)
	case "UserEvent":
		m.userEvent(ev, at)
	case "VarSet":
		if ev.Get("Value") == "" {
			return
		}
		name += " " + ev.Get("Variable")
	}
	meaning, ok := meanings[name]
	if !ok {
		return
	}
	of := m.leg
	if meaning.known {
		of = m.known
	}
	if l := of(ev, meaning.of, at); l != nil {
		meaning.take(heard{m, l, ev, at})
	}
}

// heard is an event of a leg.
type heard struct {
	*machine
	l  *leg
	ev ami.Message
	at time.Time
}

// meanings is the table of what the events of legs mean: the leg that each
// speaks of, by the prefix of its headers, whether it is one that is known
// already, and what follows.
var meanings = map[string]struct {
	of    string
	known bool
	take  func(heard)
}{
	"Newchannel":             {"", false, func(heard) {}},
	"NewCallerid":            {"", true, func(h heard) { h.newCallerID(h.l, partyOf(h.ev, "")) }},
	"DialBegin":              {"Dest", false, heard.dialBegin},
	"DialEnd":                {"Dest", false, func(h heard) { h.dialEnd(h.caller(), h.l, h.ev.Get("DialStatus"), h.at) }},
	"AgentCalled":            {"Dest", false, func(h heard) { h.l.Offer = offerOf(h.ev) }},
	"AgentConnect":           {"Dest", false, func(h heard) { h.agentConnect(h.caller(), h.l, *offerOf(h.ev), h.at) }},
	"QueueCallerJoin":        {"", false, func(h heard) { h.queueEnter(h.l, partyOf(h.ev, ""), h.ev.Get("Queue"), h.at) }},
	"QueueCallerAbandon":     {"", false, func(h heard) { h.queueAbandon(h.l, h.ev.Get("Queue"), h.at) }},
	"QueueCallerLeave":       {"", false, func(h heard) { h.queueLeave(h.l, h.at) }},
	"VarSet QUEUESTATUS":     {"", false, func(h heard) { h.queueStatus(h.l, h.ev.Get("Value"), h.at) }},
	"VarSet " + fileVariable: {"", false, func(h heard) { h.recordedTo(h.l, h.ev.Get("Value"), h.at); h.taped(h.l, h.at) }},
	"MixMonitorStart":        {"", false, func(h heard) { h.recording(h.l, h.at); h.taped(h.l, h.at) }},
	"MixMonitorStop":         {"", false, func(h heard) { h.l.silenced(h.at) }},
	"Newexten":               {"", true, heard.newExten},
	"BridgeEnter":            {"", false, heard.bridgeEnter},
	"BridgeLeave":            {"", true, heard.bridgeLeave},
	"Hold":                   {"", true, func(h heard) { h.l.hold(h.at) }},
	"Unhold":                 {"", true, func(h heard) { h.l.unhold(h.at) }},
	"Pickup":                 {"", false, func(h heard) { h.l.Picked = true }},
	"ChanSpyStart":           {"Spyer", false, func(h heard) { h.l.spies() }},
	"BlindTransfer":          {"Transferer", true, heard.transferEvent},
	"AttendedTransfer":       {"OrigTransferer", true, heard.transferEvent},
	"HangupRequest":          {"", true, func(h heard) { h.l.Hung = true }},
	"Hangup":                 {"", true, func(h heard) { h.hearing.end(h.l); h.hangup(h.l, h.ev.Get("Cause"), h.at) }},
}

// partyOf is what an event says of one of its legs. The prefix distinguishes it
// where an event has several: Dest, Transferer.
func partyOf(ev ami.Message, prefix string) party {
	return party{
		ID: ev.Get(prefix + "Uniqueid"), Linked: ev.Get(prefix + "Linkedid"), Channel: ev.Get(prefix + "Channel"),
		Number: ev.Get(prefix + "CallerIDNum"), Name: ev.Get(prefix + "CallerIDName"),
		Connected: ev.Get(prefix + "ConnectedLineNum"), Exten: ev.Get(prefix + "Exten"),
	}
}

func offerOf(ev ami.Message) *offer {
	return &offer{Queue: ev.Get("Queue"), Agent: ev.Get("Interface"), Username: ev.Get("MemberName")}
}

// known returns the leg an event speaks of, nil when it is not known.
func (m *machine) known(ev ami.Message, prefix string, at time.Time) *leg {
	return m.find(partyOf(ev, prefix), at)
}

// leg returns the leg an event speaks of, made known if it was not; nil when
// the event names none.
func (m *machine) leg(ev ami.Message, prefix string, at time.Time) *leg {
	p := partyOf(ev, prefix)
	if p.ID == "" || p.Linked == "" && m.legs[p.ID] == nil {
		m.Miss("%s names no %s leg", ev.Event(), prefix)
		return nil
	}
	return m.join(p, at)
}

// caller returns the leg that calls; nil when it is Asterisk itself.
func (h heard) caller() *leg {
	if h.ev.Get("Uniqueid") == "" {
		return nil
	}
	return h.leg(h.ev, "", h.at)
}

// newCallerID takes the number of the caller that comes late.
func (m *machine) newCallerID(l *leg, p party) {
	if l.Bridge != "" {
		return
	}
	l.Number, l.Name = p.Number, p.Name
	if l.ID == l.call.ID {
		p.Exten = ""
		m.identify(l, p, false)
	}
}

func (h heard) dialBegin() {
	by := h.caller()
	if by != nil {
		h.goesOn(by)
	}
	h.dialled(by, h.l, h.ev.Get("DialString"), h.at)
	if by != nil && by.ID == by.call.ID && !by.call.Start.IsZero() && h.ev.Get("Exten") != "s" {
		by.call.DNIS = cmp.Or(by.call.DNIS, h.ev.Get("Exten"))
	}
}

// learn takes a member of a queue, from a list or when it is added.
func (m *machine) learn(ev ami.Message) {
	agent, name := cmp.Or(ev.Get("Location"), ev.Get("Interface")), cmp.Or(ev.Get("Name"), ev.Get("MemberName"))
	m.phones.learn(ev.Get("Queue"), agent, ev.Get("StateInterface"), name)
}

// newExten learns from the arguments of MixMonitor(file,options,command) what
// the file will hold, and from those of Queue(name,...) what a caller asks for.
func (h heard) newExten() {
	h.goesOn(h.l)
	first, rest, _ := strings.Cut(h.ev.Get("AppData"), ",")
	switch h.ev.Get("Application") {
	case "MixMonitor":
		h.l.Options, _, _ = strings.Cut(rest, ",")
	case "Queue":
		h.l.Asked = first
	}
}

func (h heard) bridgeEnter() {
	kind := h.ev.Get("BridgeType")
	holding := h.ev.Get("BridgeTechnology") == "holding_bridge" || kind == "agent_hold" || kind == "parking"
	if kind == "agent_hold" {
		h.l.call.Login = true
	}
	h.l.Place = h.place()
	h.goesOn(h.l)
	h.enters(h.l, h.ev.Get("BridgeUniqueid"), holding, h.at)
	if h.l.local() {
		h.ringAll(h.l.call)
	}
}

func (h heard) bridgeLeave() {
	moved := h.l.Place != "" && h.place() != h.l.Place
	h.leaves(h.l, h.ev.Get("BridgeUniqueid"), moved, h.at)
}

// place is where in the dialplan a leg is. It changes under a leg that is
// redirected, before it leaves its bridge.
func (h heard) place() string {
	return h.ev.Get("Context") + "," + h.ev.Get("Exten") + "," + h.ev.Get("Priority")
}

func (h heard) transferEvent() {
	if h.ev.Get("Result") == "Success" {
		h.transferred(h.l)
		h.transferred(h.known(h.ev, "SecondTransferer", h.at))
	}
}

// named takes the file of a leg that was found after a gap.
func (m *machine) named(id, name string) {
	if l := m.legs[id]; l != nil && !l.Gone && name != "" {
		m.recordedTo(l, name, time.Time{})
		m.taped(l, time.Time{})
	}
}
