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
	switch ev.Event() {
	case "QueueMemberAdded":
		m.learn(ev)
	case "AgentComplete":
		m.agentComplete(ev.Get("DestUniqueid"), ev.Get("Linkedid"), offerOf(ev), ev.Get("Reason"), at)
	case "UserEvent":
		m.userEvent(ev, at)
	default:
		if l := m.subject(ev, at); l != nil {
			m.translateOf(l, ev, at)
		}
	}
}

// subject returns the leg that an event speaks of; nil when it speaks of none
// that matters.
func (m *machine) subject(ev ami.Message, at time.Time) *leg {
	switch ev.Event() {
	case "DialBegin", "DialEnd", "AgentCalled", "AgentConnect":
		return m.leg(ev, "Dest", at)
	case "ChanSpyStart":
		return m.leg(ev, "Spyer", at)
	case "BlindTransfer":
		return m.known(ev, "Transferer", at)
	case "AttendedTransfer":
		return m.known(ev, "OrigTransferer", at)
	case "VarSet":
		if name := ev.Get("Variable"); ev.Get("Value") == "" || name != fileVariable && name != "QUEUESTATUS" {
			return nil
		}
		return m.leg(ev, "", at)
	case "Newchannel", "QueueCallerJoin", "QueueCallerAbandon", "QueueCallerLeave", "MixMonitorStart", "MixMonitorStop", "BridgeEnter", "Pickup":
		return m.leg(ev, "", at)
	case "NewCallerid", "Newexten", "BridgeLeave", "Hold", "Unhold", "HangupRequest", "Hangup":
		return m.known(ev, "", at)
	}
	return nil
}

// translateOf is the table of what the events of a leg mean.
func (m *machine) translateOf(l *leg, ev ami.Message, at time.Time) {
	switch ev.Event() {
	case "NewCallerid":
		m.newCallerID(l, partyOf(ev, ""))
	case "DialBegin":
		m.dialBegin(l, ev, at)
	case "DialEnd":
		m.dialEnd(m.caller(ev, at), l, ev.Get("DialStatus"), at)
	case "AgentCalled":
		o := offerOf(ev)
		l.Offer = &o
	case "AgentConnect":
		m.agentConnect(m.caller(ev, at), l, offerOf(ev), at)
	case "QueueCallerJoin":
		m.queueEnter(l, partyOf(ev, ""), ev.Get("Queue"), at)
	case "QueueCallerAbandon":
		m.queueAbandon(l, ev.Get("Queue"), at)
	case "QueueCallerLeave":
		m.queueLeave(l, at)
	case "VarSet":
		m.varSet(l, ev.Get("Variable"), ev.Get("Value"), at)
	case "Newexten":
		m.newExten(l, ev.Get("Application"), ev.Get("AppData"))
	case "MixMonitorStart":
		m.recording(l, at)
		m.heard(l, at)
	case "MixMonitorStop":
		l.silenced(at)
	case "BridgeEnter":
		m.bridgeEnter(l, ev, at)
	case "BridgeLeave":
		m.leaves(l, ev.Get("BridgeUniqueid"), l.Place != "" && place(ev) != l.Place, at)
	case "Hold":
		l.hold(at)
	case "Unhold":
		l.unhold(at)
	case "Pickup":
		l.Picked = true
	case "ChanSpyStart":
		l.spies()
	case "BlindTransfer", "AttendedTransfer":
		if ev.Get("Result") == "Success" {
			m.transferred(l)
			m.transferred(m.known(ev, "SecondTransferer", at))
		}
	case "HangupRequest":
		l.Hung = true
	case "Hangup":
		m.hearing.end(l)
		m.hangup(l, ev.Get("Cause"), at)
	}
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

func offerOf(ev ami.Message) offer {
	return offer{Queue: ev.Get("Queue"), Agent: ev.Get("Interface"), Username: ev.Get("MemberName")}
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

// caller returns the leg that calls another one; nil when it is Asterisk itself.
func (m *machine) caller(ev ami.Message, at time.Time) *leg {
	if ev.Get("Uniqueid") == "" {
		return nil
	}
	return m.leg(ev, "", at)
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

func (m *machine) dialBegin(l *leg, ev ami.Message, at time.Time) {
	by := m.caller(ev, at)
	if by != nil {
		m.goesOn(by)
	}
	m.dialled(by, l, ev.Get("DialString"), at)
	if by != nil && by.ID == by.call.ID && !by.call.Start.IsZero() && ev.Get("Exten") != "s" {
		by.call.DNIS = cmp.Or(by.call.DNIS, ev.Get("Exten"))
	}
}

// learn takes a member of a queue, from a list or when it is added.
func (m *machine) learn(ev ami.Message) {
	agent, name := cmp.Or(ev.Get("Location"), ev.Get("Interface")), cmp.Or(ev.Get("Name"), ev.Get("MemberName"))
	m.phones.learn(ev.Get("Queue"), agent, ev.Get("StateInterface"), name)
}

// varSet takes the name of the file that a leg is recorded to, and what Queue()
// says of a caller whom it lets go.
func (m *machine) varSet(l *leg, name, value string, at time.Time) {
	if name != fileVariable {
		m.queueStatus(l, value, at)
		return
	}
	m.recordedTo(l, value, at)
	m.heard(l, at)
}

// newExten learns from the arguments of MixMonitor(file,options,command) what
// the file will hold, and from those of Queue(name,...) what a caller asks for.
func (m *machine) newExten(l *leg, app, data string) {
	m.goesOn(l)
	first, rest, _ := strings.Cut(data, ",")
	switch app {
	case "MixMonitor":
		l.Options, _, _ = strings.Cut(rest, ",")
	case "Queue":
		l.Asked = first
	}
}

func (m *machine) bridgeEnter(l *leg, ev ami.Message, at time.Time) {
	kind := ev.Get("BridgeType")
	holding := ev.Get("BridgeTechnology") == "holding_bridge" || kind == "agent_hold" || kind == "parking"
	if kind == "agent_hold" {
		l.call.Login = true
	}
	l.Place = place(ev)
	m.goesOn(l)
	m.enters(l, ev.Get("BridgeUniqueid"), holding, at)
	if l.local() {
		m.ringAll(l.call)
	}
}

// place is where in the dialplan a leg is. It changes under a leg that is
// redirected, before it leaves its bridge.
func place(ev ami.Message) string {
	return ev.Get("Context") + "," + ev.Get("Exten") + "," + ev.Get("Priority")
}

// named takes the file of a leg that was found after a gap.
func (m *machine) named(id, name string) {
	if l := m.legs[id]; l != nil && !l.Gone && name != "" {
		m.varSet(l, fileVariable, name, time.Time{})
	}
}
