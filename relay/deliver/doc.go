// Package deliver sends queued deliveries to their services over HTTP.
//
// A delivery is one segment event owed to one service. Each try is an attempt,
// numbered from 1 and rendered anew, and ends in exactly one [Outcome]:
// delivered, retried after a delay, or dead. An entry of the queue is released
// only after its outcome is recorded, so a crash in between repeats the
// attempt: a receiver sees each delivery at least once, always under the same
// Webhook-Id.
//
// Its one idea: every service has a runner of its own, with its own lane of the
// queue, places, rate, connections and failures. Nothing is shared between
// services but the disk and, where two have the same endpoint, its circuit
// breaker. So an endpoint that hangs, fails or refuses holds up itself alone.
//
// While a breaker is open its services fetch nothing and lose nothing; one
// ordinary attempt of the oldest delivery is the probe that closes it again.
//
// The series of the services are counted and written in the text format of
// Prometheus here: its client library takes thirty milliseconds for what two
// hundred services have, and this one or two. Everything else in the relay is
// counted by that library, and a test of package daemon holds that no family comes
// from both.
//
// Deliveries to one service may arrive out of order unless its order is "call".
// Delays are measured from the end of an attempt.
package deliver
