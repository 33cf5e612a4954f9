// Package limit bounds what peers make the relay hold, whoever they are:
// connections and descriptors ([Listener]), bytes ([Bytes]) and guesses
// ([Guesses]). Every listener of the relay uses it.
//
// Its one idea: a place belongs to who has shown that it may have one. A peer
// that has not yet said what it wants costs a few kilobytes, is let go after
// [Silence], and gives way when its place is wanted; and no peer, which is a
// user on a unix socket and an address elsewhere, takes another one's share.
package limit
