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

// translate is the table of what each manager event means.
func (m *machine) translate(ev ami.Message, at time.Time) {
	switch name := ev.Event(); name {
	case "Newchannel":
		m.leg(ev, "", at)
	case "NewCallerid":
		m.newCallerID(ev, at)
	case "LocalBridge":
		m.leg(ev, "LocalOne", at)
		m.leg(ev, "LocalTwo", at)
	case "DialBegin", "DialEnd":
		m.dialEvent(ev, at)
	case "AgentCalled", "AgentConnect", "AgentComplete", "QueueMemberAdded", "QueueMember":
		m.agentEvent(ev, at)
	case "QueueCallerJoin", "QueueCallerAbandon", "QueueCallerLeave":
		m.callerEvent(ev, at)
	case "VarSet":
		m.varSet(ev, at)
	case "Newexten":
		m.newExten(ev, at)
	case "MixMonitorStart", "MixMonitorStop":
		m.mixMonitor(ev, at)
	case "BridgeEnter", "BridgeLeave":
		m.bridgeEvent(ev, at)
	case "Hold", "Unhold":
		m.hold(ev, at)
	case "Pickup":
		if l := m.leg(ev, "", at); l != nil {
			l.Picked = true
		}
	case "ChanSpyStart":
		if l := m.leg(ev, "Spyer", at); l != nil && l.ID == l.call.ID && !l.call.Connected {
			l.call.Login = true
		}
	case "BlindTransfer":
		m.transferEvent(ev, "Transferer", at)
	case "AttendedTransfer":
		m.transferEvent(ev, "OrigTransferer", at)
		m.transferEvent(ev, "SecondTransferer", at)
	case "HangupRequest":
		if l := m.known(ev, "", at); l != nil {
			l.Hung = true
		}
	case "Hangup":
		if l := m.known(ev, "", at); l != nil {
			m.hearing.end(l)
			m.hangup(l, ev.Get("Cause"), at)
		}
	case "UserEvent":
		m.userEvent(ev, at)
	}
}

// partyOf is what an event says of one of its legs. The prefix tells it apart
// where an event has several: Dest, Transferer.
func partyOf(ev ami.Message, prefix string) party {
	return party{
		ID: ev.Get(prefix + "Uniqueid"), Linked: ev.Get(prefix + "Linkedid"), Channel: ev.Get(prefix + "Channel"),
		Number: ev.Get(prefix + "CallerIDNum"), Name: ev.Get(prefix + "CallerIDName"),
		Connected: ev.Get(prefix + "ConnectedLineNum"), Exten: ev.Get(prefix + "Exten"),
	}
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

// newCallerID takes the number of the caller that comes late.
func (m *machine) newCallerID(ev ami.Message, at time.Time) {
	l := m.known(ev, "", at)
	if l == nil || l.Bridge != "" {
		return
	}
	p := partyOf(ev, "")
	l.Number, l.Name = p.Number, p.Name
	if l.ID == l.call.ID {
		p.Exten = ""
		m.identify(l, p, false)
	}
}

func (m *machine) dialEvent(ev ami.Message, at time.Time) {
	l := m.leg(ev, "Dest", at)
	if l == nil {
		return
	}
	var by *leg
	if ev.Get("Uniqueid") != "" {
		by = m.leg(ev, "", at)
	}
	if ev.Event() == "DialEnd" {
		m.dialEnd(by, l, ev.Get("DialStatus"), at)
		return
	}
	if by != nil {
		m.goesOn(by)
	}
	m.dialled(by, l, ev.Get("DialString"), at)
	if by != nil && by.ID == by.call.ID && !by.call.Start.IsZero() && ev.Get("Exten") != "s" {
		by.call.DNIS = cmp.Or(by.call.DNIS, ev.Get("Exten"))
	}
}

func (m *machine) callerEvent(ev ami.Message, at time.Time) {
	l, queue := m.leg(ev, "", at), ev.Get("Queue")
	switch name := ev.Event(); {
	case l == nil && name == "QueueCallerAbandon":
		m.count(queue, tally{Abandoned: 1})
	case l == nil:
	case name == "QueueCallerJoin":
		m.queueEnter(l, partyOf(ev, ""), queue, at)
	case name == "QueueCallerAbandon":
		m.queueAbandon(l, queue, at)
	default:
		m.queueLeave(l, at)
	}
}

// agentEvent takes what a queue says of its members and of those it calls.
func (m *machine) agentEvent(ev ami.Message, at time.Time) {
	o := offer{ev.Get("Queue"), ev.Get("Interface"), ev.Get("MemberName")}
	switch ev.Event() {
	case "QueueMember", "QueueMemberAdded":
		m.learn(ev)
		return
	case "AgentComplete":
		m.agentComplete(ev.Get("DestUniqueid"), ev.Get("Linkedid"), o, ev.Get("Reason"), at)
		return
	}
	l := m.leg(ev, "Dest", at)
	if l == nil {
		return
	}
	if ev.Event() == "AgentCalled" {
		l.Offer = &o
		return
	}
	var caller *leg
	if ev.Get("Uniqueid") != "" {
		caller = m.leg(ev, "", at)
	}
	m.agentConnect(caller, l, o, at)
}

// learn takes a member of a queue, from a list or when it is added.
func (m *machine) learn(ev ami.Message) {
	agent, name := ev.Get("Location"), ev.Get("Name")
	if agent == "" {
		agent, name = ev.Get("Interface"), ev.Get("MemberName")
	}
	m.phones.learn(ev.Get("Queue"), agent, ev.Get("StateInterface"), name)
}

// varSet takes the name of the file that a leg is recorded to, and what Queue()
// says of a caller whom it lets go.
func (m *machine) varSet(ev ami.Message, at time.Time) {
	name, value := ev.Get("Variable"), ev.Get("Value")
	if value == "" || name != fileVariable && name != "QUEUESTATUS" {
		return
	}
	l := m.leg(ev, "", at)
	switch {
	case l == nil:
	case name == fileVariable:
		m.recordedTo(l, value, at)
		m.heard(l, at)
	default:
		m.queueStatus(l, value, at)
	}
}

// newExten learns from the arguments of MixMonitor(file,options,command) what
// the file will hold, and from those of Queue(name,...) what a caller asks for.
func (m *machine) newExten(ev ami.Message, at time.Time) {
	l := m.known(ev, "", at)
	if l == nil {
		return
	}
	first, rest, _ := strings.Cut(ev.Get("AppData"), ",")
	m.goesOn(l)
	switch ev.Get("Application") {
	case "MixMonitor":
		l.Options, _, _ = strings.Cut(rest, ",")
	case "Queue":
		l.Asked = first
	}
}

func (m *machine) mixMonitor(ev ami.Message, at time.Time) {
	l := m.leg(ev, "", at)
	switch {
	case l == nil:
	case ev.Event() == "MixMonitorStart":
		m.recording(l, at)
		m.heard(l, at)
	default:
		l.silenced(at)
	}
}

// bridgeEvent moves a leg into a bridge or out of one.
func (m *machine) bridgeEvent(ev ami.Message, at time.Time) {
	bridge := ev.Get("BridgeUniqueid")
	if ev.Event() == "BridgeLeave" {
		if l := m.known(ev, "", at); l != nil {
			m.leaves(l, bridge, l.Place != "" && place(ev) != l.Place, at)
		}
		return
	}
	l := m.leg(ev, "", at)
	if l == nil {
		return
	}
	kind, tech := ev.Get("BridgeType"), ev.Get("BridgeTechnology")
	holding := tech == "holding_bridge" || kind == "agent_hold" || kind == "parking"
	if kind == "agent_hold" {
		l.call.Login = true
	}
	l.Place = place(ev)
	m.goesOn(l)
	m.enters(l, bridge, holding, at)
	if l.local() {
		m.ringAll(l.call)
	}
}

// place is where in the dialplan a leg is. It changes under a leg that is
// redirected, before it leaves its bridge.
func place(ev ami.Message) string {
	return ev.Get("Context") + "," + ev.Get("Exten") + "," + ev.Get("Priority")
}

func (m *machine) hold(ev ami.Message, at time.Time) {
	l := m.known(ev, "", at)
	switch {
	case l == nil:
	case ev.Event() == "Hold" && l.Held.IsZero():
		l.Held = at
	case ev.Event() == "Unhold":
		l.unhold(at)
	}
}

func (m *machine) transferEvent(ev ami.Message, prefix string, at time.Time) {
	if ev.Get("Result") == "Success" {
		m.transferred(m.known(ev, prefix, at))
	}
}

// named takes the file of a leg that was found after a gap.
func (m *machine) named(id, name string) {
	if l := m.legs[id]; l != nil && !l.Gone && name != "" {
		m.recordedTo(l, name, time.Time{})
		m.heard(l, time.Time{})
	}
}
