// Package freeswitch collects the call events of a FreeSWITCH: from its event
// socket, live, and from the call detail records that its mod_json_cdr posts.
//
// Both ways give a leg, its call and its segment, and these are reported by the
// same rules. A [machine] follows the legs by their events; a [Converter] reads
// them from a document, which comes when a leg has ended. An agent's leg
// becomes agent_termination, and transfer_termination when the agent passed the
// call on; the caller's leg becomes queue_enter, queue_abandon, call_missed,
// call_end and post_call. A leg is an agent's when mod_callcenter says so
// (cc_side), when the dialplan does (relay_agent), or when a user of the
// directory was dialled (dialed_user). The call is the caller's leg by its own
// uuid, through every transfer. Legs of loopback channels are plumbing and give
// nothing.
//
// Ids are built from the leg's own, so that a document that is sent again, or
// replayed from the module's spool, gives the same events; a [Ledger] knows
// them for longer than the queue does.
//
// The limits: the one document of an agent's standing leg (uuid-standby) says
// nothing of the calls of a shift but the last. The document of an agent's leg
// knows when the caller joined the queue to the second only, and nothing of
// when the call began.
package freeswitch
