// Package asterisk collects the call events of an Asterisk over its manager
// interface (AMI).
//
// Its one idea: a pure [machine] turns manager events into call events. It
// knows no clock but the stamps of the events and no order but theirs, so that
// the same events always give the same call events under the same ids, built
// from the source's name, the Linkedid and the Uniqueid. Around it, a [Source]
// keeps the connection drained at every moment: what the relay cannot take
// waits in a bounded spool.
//
// A segment is one agent's leg. The leg is an agent's when AgentConnect names
// it, or when the dialplan records it and it is no caller's: a plain Dial has
// no AgentConnect. The segment runs from the leg's first BridgeEnter to its
// last BridgeLeave; its Hangup is definitive. AgentComplete only adds the
// reason, and is never waited for: it comes late, without fields, or not at
// all.
//
// The limits: what happened while no connection stood is not made up. After
// each reconnect the channels that are alive are compared with those known; a
// segment that ended meanwhile is delivered without its end, and a relay_gap
// event says from when to when events may be missing, and how many of them are
// known to be.
package asterisk
