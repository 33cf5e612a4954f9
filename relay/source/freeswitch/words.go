package freeswitch

import (
	"strings"

	"callrelay/relay/source"
)

// queueName is a queue without the domain that every queue has.
func queueName(name string) string { return strings.TrimSuffix(name, "@default") }

// queueResults are why the queue let a caller go unanswered, by what
// mod_callcenter calls it.
var queueResults = map[string]string{
	"BREAK_OUT": source.LeftHangup, "TIMEOUT": source.LeftTimeout, "NO_AGENT_TIMEOUT": source.LeftNoAgents,
	"EXIT_WITH_KEY": source.LeftKey, "QUEUE_FULL": source.LeftFull,
}

// unanswered is what became of a call without a queue that nobody answered, by
// the cause it was hung up for.
func unanswered(cause string) string {
	switch cause {
	case "USER_BUSY":
		return source.Busy
	case "", "NORMAL_CLEARING", "ORIGINATOR_CANCEL", "NO_ANSWER", "NO_USER_RESPONSE", "ALLOTTED_TIMEOUT",
		"USER_NOT_REGISTERED", "SUBSCRIBER_ABSENT", "CALL_REJECTED", "LOSE_RACE", "PICKED_OFF":
		return source.Missed
	}
	return source.Failed
}

// ringResult is why a phone was not answered, by the cause it was hung up for.
func ringResult(cause string) string {
	switch cause {
	case "NO_ANSWER", "ALLOTTED_TIMEOUT", "PROGRESS_TIMEOUT", "MEDIA_TIMEOUT":
		return "no_answer"
	case "USER_BUSY":
		return "busy"
	case "CALL_REJECTED":
		return "rejected"
	case "ORIGINATOR_CANCEL", "NORMAL_CLEARING", "MANAGER_REQUEST":
		return "cancelled"
	case "LOSE_RACE", "PICKED_OFF":
		return "answered_elsewhere"
	}
	return "unreachable"
}

// moved reports whether a leg ended because its phone passed the call on.
func moved(disposition string) bool {
	return disposition == "recv_replace" || disposition == "replaced"
}

// endReason says who ended an agent's leg, from its variables: the agent
// passed the call on, or hung up, or FreeSWITCH hung the phone up because the
// caller had gone, or was moved away.
func endReason(variable func(name string) string) string {
	switch {
	case moved(variable("transfer_disposition")):
		return source.ByTransfer
	case variable("sip_hangup_disposition") == "recv_bye":
		return source.ByAgent
	case variable("last_bridge_hangup_cause") != "":
		return source.ByCaller
	case variable("hangup_cause") == "NORMAL_CLEARING" && sipProfile(variable("channel_name")) != "": // other phones do not say who hung up
		return source.ByTransfer
	}
	return ""
}

// conferred reports whether the leg was in a conference: nobody knows whether
// somebody else was there.
func conferred(variable func(name string) string) bool {
	return variable("conference_name")+variable("conference_uuid")+variable("conference_member_id") != ""
}

// loopback reports whether a channel is plumbing between two others.
func loopback(channel string) bool { return strings.HasPrefix(channel, "loopback/") }

// sipProfile is the sofia profile of a channel: sofia/internal/... Phones
// register at another one than trunks use.
func sipProfile(channel string) string {
	kind, rest, _ := strings.Cut(channel, "/")
	name, _, found := strings.Cut(rest, "/")
	if kind != "sofia" || !found {
		return ""
	}
	return name
}

// userOf is the user of an address user@domain.
func userOf(address string) string {
	user, _, _ := strings.Cut(address, "@")
	return user
}
