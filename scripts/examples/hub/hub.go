// Package hub holds the example configuration of a hub's NATS server, so that
// what tries a hub tries that one.
package hub

import _ "embed"

// ServerConfig is nats-server.conf.
//
//go:embed nats-server.conf
var ServerConfig string
