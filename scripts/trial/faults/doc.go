// Package faults does to a running relay what a bad day does: power cuts, a
// full or read-only disk, endpoints that hang, drip or reset, clients that
// stall, a clock that is set, and a storm of reloads. Each trial prints what it counted (go test -v).
//
// go test runs the short form of each. FAULTS=long in the environment makes
// them as hard as a night; FAULTS_POWERFS names the binary of a filesystem that
// forgets what was not fsynced, without which the power cuts are not tried
// (that an fsync precedes each acknowledgement is shown by package queue).
package faults
