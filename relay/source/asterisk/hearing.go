package asterisk

import "callrelay/relay/source/asterisk/ami"

// hearing is what was heard of Asterisk since the connection stands: what never
// comes although something else shows that it happens, the manager user may not
// read, or its filters hold back.
type hearing struct {
	events map[string]int // by name; of VarSet, Newexten those that are of use
	unleft int            // legs that hung up in a bridge: Asterisk takes them out of it before
	unrung int            // called ones that hung up although the call to them had not ended
	denied bool           // to list channels
	bare   bool           // events have no stamp
}

// enough of an event without another one show that the other does not come.
const enough = 20

// hear counts an event.
func (h *hearing) hear(ev ami.Message) {
	name := ev.Event()
	switch variable, app := ev.Get("Variable"), ev.Get("Application"); {
	case name == "VarSet" && variable != fileVariable, name == "Newexten" && app != "Queue":
		return
	}
	if h.events == nil {
		h.events = map[string]int{}
	}
	if _, known := h.events[name]; known || len(h.events) < 100 {
		h.events[name]++
	}
	h.bare = h.bare || name == "BridgeEnter" && ev.Stamp().IsZero()
}

// end takes a leg that hangs up, as it is before.
func (h *hearing) end(l *leg) {
	if l.Bridge != "" {
		h.unleft++
	}
	if l.Dial != nil && l.Dial.End.IsZero() {
		h.unrung++
	}
}

// limits says what is not seen, and which line of manager.conf mends it.
func (h *hearing) limits() []string {
	n := h.events
	calls := n["Newchannel"] + n["Hangup"] + n["BridgeEnter"] + n["DialBegin"]
	agents := n["QueueCallerJoin"] + n["QueueCallerLeave"] + n["AgentConnect"] + n["AgentComplete"]
	var found []string
	for _, l := range []struct {
		is         bool
		what, mend string
	}{
		{n["AgentComplete"] > 0 && calls == 0, "conversations are not seen", "read = system,call,agent,user,dialplan"},
		{n["AgentComplete"] > 0 && calls > 0 && n["BridgeEnter"] == 0, "conversations are not seen", "eventfilter(name(BridgeEnter)) ="},
		{h.unleft > 3 && n["BridgeLeave"] == 0, "the ends of conversations are not seen", "eventfilter(name(BridgeLeave)) ="},
		{n["BridgeLeave"] > enough && n["Hangup"] == 0, "the ends of calls are not seen", "eventfilter(name(Hangup)) ="},
		{n["BridgeEnter"] > enough && n["Newchannel"] == 0, "the beginnings of calls are not seen", "eventfilter(name(Newchannel)) ="},
		{n["BridgeEnter"] > enough && n["DialBegin"] == 0, "rings and calls without a queue are not seen", "eventfilter(name(DialBegin)) ="},
		{h.unrung > 3 && n["DialEnd"] == 0, "why phones rang in vain is not seen", "eventfilter(name(DialEnd)) ="},
		{n["Newexten"] > enough && agents == 0, "queues are not seen", "read = system,call,agent,user,dialplan"},
		{n["AgentConnect"] > 0 && n["QueueCallerJoin"] == 0 && n["QueueCallerLeave"] > enough, "callers in queues are not seen", "eventfilter(name(QueueCallerJoin)) ="},
		{n["MixMonitorStart"] > 0 && n["VarSet"] == 0, "the names of recordings are not seen", "eventfilter(name(VarSet),header(Variable),method(exact)) = " + fileVariable + " (and read = ...,dialplan)"},
		{h.denied, "what goes on after a break is not seen", "write = reporting"},
		{h.bare, "times are those of receipt", "timestampevents = yes"},
	} {
		if l.is {
			found = append(found, l.what+"; in manager.conf: "+l.mend)
		}
	}
	return found
}
