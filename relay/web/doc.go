// Package web is what a running relay shows of itself, and what it lets its
// operator do.
//
// Two servers share one view. The [Socket] is a unix socket of mode 0600 on
// which the relay's own commands speak HTTP and JSON; only root and the user
// the relay runs as get an answer. The [Server] listens on TCP for people and
// scrapers: the status page, /metrics, /healthz and /readyz. It answers only
// requests whose Host is a loopback name or one that was configured, so that no
// page elsewhere can reach it through a visitor's browser, and without a token
// it shows counts and states only and changes nothing.
//
// What they show and do comes from the rest of the relay through the small
// interfaces declared here. Nothing in this package keeps state that matters:
// both servers may be stopped at any time without loss.
package web
