// Package exchange makes one HTTP exchange with an endpoint: it connects, shows
// who it is, writes a request and reads the answer.
//
// Its one idea: an [Attempt] goes in, and a [Reply] or an error comes out, within
// a deadline. It knows no queue and no template; when an attempt is made, and
// what its outcome means, is decided by package deliver.
//
// Guarantees: a request is written once and nothing repeats it behind the
// caller's back, but for a connection that was used before and ends without a
// byte of an answer: then it is written once more, over a new one. No redirect
// is followed. Only so much of an answer is read as the service allows.
// An address that is guarded (the cloud's metadata, the relay's own listeners,
// private ones where a service forbids them) is refused when it is dialled,
// whatever name led there. No error holds a URL, a password or a token.
//
// Requests are HTTP/1.1. The usual ones take a client of this package, which
// costs a third of net/http's; a proxy or a host name to translate takes
// net/http.
package exchange
