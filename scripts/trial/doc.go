// Package trial runs the built relay as a child process and plays its
// surroundings: the call server at its socket and the endpoint behind it.
//
// The end-to-end tests, the benchmarks and the fault programs share it. It
// relies on nothing but what a user can rely on: relay.toml, the sockets, the
// commands, signals, and the admin listener.
package trial
