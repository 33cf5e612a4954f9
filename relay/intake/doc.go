// Package intake takes events from call servers: over a unix socket, by HTTP or
// as newline-delimited JSON, and over HTTP on loopback.
//
// Its one promise: an event is acknowledged after every delivery it owes is on
// disk, and never before. What cannot be taken is refused with a reason, whole;
// nothing is accepted by half. A call server never waits for an endpoint: the
// only thing between a request and its answer is one commit of the queue.
//
// Everything a peer can make the package hold is bounded: connections, the size
// of lines, requests and headers, and what a connection may send ahead of its
// answers. A peer that does not read its answers stops only itself.
package intake
