// Package daemon runs a relay: it builds the parts in order from a configuration,
// runs them together, reloads them in one step and tears them down in reverse.
//
// Its one idea: everything that can fail comes before anything that changes. A
// build that fails leaves nothing behind, and a reload that fails changes
// nothing but what is reported of it.
//
// It is also the adapter between the parts: package web asks it for what the
// status page shows and does what an operator asks for, and operational events
// of the other parts are accepted into the relay's own intake.
package daemon
