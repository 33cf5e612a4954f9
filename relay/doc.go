// Relay is a sidecar of a call server. It takes call events on a unix socket,
// keeps them on disk, and delivers each to the web services bound to it.
//
// This package is the process and its commands, one file per command. It builds
// the parts in order, runs them together, reloads them in one step and tears
// them down in reverse; the parts themselves live in the packages below it.
package main
