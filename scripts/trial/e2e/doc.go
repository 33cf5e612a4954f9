// Package e2e holds the promises of the README against the built binary: a
// relay in a child process, real sockets, real receivers, signals and kills.
//
// Each test writes a relay.toml, starts the relay, and counts at the receiver.
// Nothing here looks inside the process: what a test cannot see through the
// intake socket, an endpoint, a command or the admin listener, a user cannot
// see either.
package e2e
