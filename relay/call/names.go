package call

import (
	"slices"
	"strings"
)

// The operational events, about the relay itself.
const (
	BreakerOpened  = operationalPrefix + "breaker_opened"
	BreakerClosed  = operationalPrefix + "breaker_closed"
	ConfigRejected = operationalPrefix + "config_rejected"
	DeadLetter     = operationalPrefix + "dead_letter"
	Gap            = operationalPrefix + "gap"
	QueueHigh      = operationalPrefix + "queue_high"
	ServiceState   = operationalPrefix + "service_state"
	Stalled        = operationalPrefix + "stalled"
)

// Events that the relay raises about a call.
const (
	RecordingAvailable = "recording_available"
	RecordingFailed    = "recording_failed"
	Test               = operationalPrefix + "test" // the one of its names that anybody may send
)

const operationalPrefix = "relay_"

// An EventName is a known event.
type EventName struct {
	Name   string
	Text   string
	Groups []string // of tags that it has: see [Tag]
	Tags   []string // single ones beside them, from [OperationalVocabulary]
}

// events are the known events: those of the hosted product, ours, and the
// operational ones.
var events = []EventName{
	{"dequeue", "a call leaves its queue for an agent", groups("queue"), nil},
	{"agent_connect", "an agent and the caller are connected", groups("agent queue segment"), nil},
	{"agent_termination", "an agent's part of a call is over", groups("agent queue segment disposition campaign recording"), nil},
	{"post_call", "a call is over and all of it is known", groups("queue campaign recording"), nil},
	{"post_disposition", "an agent has chosen the outcome of a call", groups("agent queue segment disposition campaign recording"), nil},
	{"transfer_termination", "a transferred call is over", groups("agent queue segment recording"), nil},
	{"disposition", "an agent has chosen one certain outcome", groups("agent queue segment disposition campaign recording"), nil},
	{"call_start", "a call begins", groups(""), nil},
	{"call_connect", "a call is answered", groups(""), nil},
	{"call_end", "a call is over", groups(""), nil},
	{"queue_event", "something happened in a queue", groups("queue"), nil},
	{"ivr_digit", "a caller pressed a key", groups(""), nil},
	{"new_chat", "a chat begins", groups("queue"), nil},
	{"post_chat", "a chat is over", groups("agent queue segment disposition"), nil},
	{"agent_login", "an agent begins work", groups("agent"), nil},
	{"agent_logout", "an agent ends work", groups("agent"), nil},
	{"agent_state", "an agent's state changes", groups("agent"), nil},

	{"queue_enter", "a call enters a queue", groups("queue"), nil},
	{"queue_abandon", "a call leaves its queue unanswered", groups("queue"), nil},
	{"agent_ring", "a phone begins to ring", groups("agent"), nil},
	{"agent_ring_end", "a phone that rang was not answered", groups("agent ring"), nil},
	{"call_missed", "nobody answered an inbound call", groups("queue ring"), nil},
	{RecordingAvailable, "a recording that was missing is complete", groups("agent queue segment recording"), nil},
	{RecordingFailed, "a recording was not complete in time, or vanished", groups("agent queue segment recording"), nil},
	{Test, "a test of one service, or of a producer", groups("agent queue segment disposition campaign"), nil},

	{BreakerOpened, "an endpoint is left alone for a while", nil, tags("service services endpoint error")},
	{BreakerClosed, "an endpoint is well again", nil, tags("service services endpoint")},
	{ConfigRejected, "a reload was refused", nil, tags("config problems problem")},
	{DeadLetter, "deliveries were given up", nil, tags("service endpoint reason status error delivery")},
	{Gap, "a source heard nothing for a while", nil, tags("source reason from to segments_ended segments_found segments_missing abandons_missing channels_unheard events_dropped channels_compared server_restarted")},
	{QueueHigh, "the queue is nearly full", nil, tags("bytes max_bytes")},
	{ServiceState, "a service was paused, resumed, switched off or on, or removed while something waits for it", nil, tags("service state reason waiting")},
	{Stalled, "a service, or a site of relays, was owed deliveries and got none", nil, tags("service error")},
}

// groups are those of an event of a call.
func groups(more string) []string {
	return append([]string{"event", "attempt", "scope", "call"}, strings.Fields(more)...)
}

// tags are those of an operational event, beside what each of them brings.
func tags(more string) []string {
	return append([]string{"event", "event_id", "attempt", "now", "at", "host", "count"}, strings.Fields(more)...)
}

// EventNames returns the known events. Others are accepted, too.
func EventNames() []EventName { return slices.Clone(events) }

// KnownEvents returns their names.
func KnownEvents() []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = e.Name
	}
	return list
}

// Raised returns the names that begin with relay_ and mean something.
func Raised() []string {
	return slices.DeleteFunc(KnownEvents(), func(name string) bool { return !strings.HasPrefix(name, operationalPrefix) })
}

// Operational reports whether only the relay may raise an event of this name,
// known or not.
func Operational(name string) bool {
	return strings.HasPrefix(name, operationalPrefix) && name != Test
}

// Vocabulary returns the tags of the event, in the order of the vocabulary.
func (e EventName) Vocabulary() []Tag {
	var list []Tag
	for _, t := range slices.Concat(Vocabulary(), operational) {
		if slices.Contains(e.Groups, t.Group) || slices.Contains(e.Tags, t.Name) {
			list = append(list, t)
		}
	}
	return list
}
