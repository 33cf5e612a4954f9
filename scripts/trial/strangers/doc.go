// Package strangers does to a relay what those do who may not: peers by the
// thousand that say nothing, are refused, send half of what they begin or read
// no answers, on every listener at once, and requests without a valid link.
//
//	go test ./scripts/trial/strangers                   a short form
//	STRANGERS=long go test -v ./scripts/trial/strangers with 1,024 of each kind; as root the peers of the socket are another user
//
// It prints the table of the manual's page on security: surface, tried, through;
// with UPDATE_GOLDEN=1 it puts it there.
package strangers
