// Package asterisk collects the call events of an Asterisk over its manager
// interface (AMI).
//
// Its one idea: who hears whom is found, never guessed. A [graph] of legs,
// bridges and Local channels is kept; whoever is connected through any number
// of them is in one conversation. The segment of an agent is the time for which
// the phone's leg hears somebody, whatever stands between.
//
// A [machine] translates manager events into what a [tracker] follows, and the
// tracker reports call events. It knows no clock but the stamps of the events
// and no order but theirs, so that the same events always give the same call
// events under the same ids, built from the source's name, the Linkedid and the
// Uniqueid. Around it, a [Source] keeps the connection drained at every moment:
// what the relay cannot take waits in a bounded spool.
//
// Who is an agent: the phone behind the leg that AgentConnect names, with the
// queue's name for it; else, unless dials are not heard, a device that phones says
// is one; else a leg that the dialplan records and that is no caller's. The
// segment begins when two hear each other, and ends when nobody is left to
// hear: an agent who consults has somebody, a caller who is parked has left.
// Who ended it shows in the legs. AgentComplete is believed only where nothing
// else reports a transfer: it comes late, without fields, or not at all.
//
// The limits: what happened while no connection stood is not made up. After
// each reconnect the channels that are alive are compared with those known; a
// segment that ended meanwhile is delivered without its end, and a relay_gap
// event says from when to when events may be missing, and how many of them are
// known to be.
package asterisk
