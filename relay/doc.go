// Relay is a sidecar of a call server. It takes call events on a unix socket,
// keeps them on disk, and delivers each to the web services bound to it.
//
// This package is the process alone. Its command line is package command, which
// runs the parts of a relay by way of package daemon.
package main
