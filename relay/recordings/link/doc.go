// Package link makes and reads the links under which recordings are served.
//
// A link carries its own mode: signed (a path, an expiry, a key's id and an
// HMAC-SHA256 over them), basic (a plain path, which asks for a password) or
// anonymous (a keyed 128-bit token in place of the file's name). None opens by
// another one's mode, no parameter may be unknown or repeated, and a path has one
// canonical form. Whether there is such a file is not its business.
package link
