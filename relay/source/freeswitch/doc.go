// Package freeswitch turns the call detail records of FreeSWITCH's
// mod_json_cdr into call events.
//
// The module sends one document when a leg has ended, so that all events come
// at the end. An agent's leg becomes agent_termination, and
// transfer_termination when the agent passed the call on; the caller's leg
// becomes queue_enter, queue_abandon, call_end and post_call. A leg is an
// agent's when mod_callcenter says so (cc_side), when the dialplan does
// (relay_agent), or when a user of the directory was dialled (dialed_user).
//
// Ids are built from the leg's own, so that a document that is sent again, or
// replayed from the module's spool, gives the same events.
//
// It is made from the module's source and documents. No FreeSWITCH was at hand
// to try it with.
package freeswitch
