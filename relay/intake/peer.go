package intake

import (
	"errors"
	"net"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// errNoPeer means that the kernel does not say who is at the other end.
var errNoPeer = errors.New("peer is not known")

// peerUID asks the kernel for the user at the other end of a unix connection.
func peerUID(c net.Conn) (uint32, error) {
	uc, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errNoPeer
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if asked != nil {
		return 0, asked
	}
	return cred.Uid, nil
}

// allowed reports whether a peer may send events. Users are given by name or
// number; with none given, whoever may open the socket may send.
func allowed(c net.Conn, users []string) bool {
	if len(users) == 0 {
		return true
	}
	id, err := peerUID(c)
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
