package intake

import (
	"net"
	"os/user"
	"strconv"

	"callrelay/relay/unixsock"
)

// allowed reports whether a peer may send events. Users are given by name or
// number; with none given, whoever may open the socket may send.
func allowed(c net.Conn, users []string) bool {
	if len(users) == 0 {
		return true
	}
	id, err := unixsock.PeerUID(c)
	if err != nil {
		return false
	}
	uid := strconv.FormatUint(uint64(id), 10)
	for _, name := range users {
		if name == uid {
			return true
		}
		if u, err := user.Lookup(name); err == nil && u.Uid == uid {
			return true
		}
	}
	return false
}
