// Package unixsock binds, dials and identifies the other end of unix sockets.
//
// A path that a socket is bound to is left behind when a process is killed. Such
// a stale one, which is a socket that nobody listens on, is replaced; nothing
// else at a path is ever touched. A socket is bound for its owner alone: whoever
// binds it opens it to others afterwards.
package unixsock
