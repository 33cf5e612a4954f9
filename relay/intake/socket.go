package intake

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"callrelay/config"
	"callrelay/relay/unixsock"
)

// unixSocket is the bound socket with the lock that keeps a second relay away.
type unixSocket struct {
	*unixsock.Listener
	lock *os.File
}

// Close removes the socket and lets the lock go.
func (s *unixSocket) Close() error {
	return errors.Join(s.Listener.Close(), s.lock.Close())
}

// listenSocket binds the socket of the configuration. It removes a stale one,
// which is a socket that nobody listens on, and touches nothing else.
func listenSocket(c config.Intake) (net.Listener, error) {
	fail := func(err error) (net.Listener, error) {
		return nil, fmt.Errorf("listen on %s: %w", c.Socket, err)
	}
	if err := unixsock.CheckPath(c.Socket); err != nil {
		return fail(err)
	}
	if err := os.MkdirAll(filepath.Dir(c.Socket), 0o755); err != nil {
		return nil, err
	}
	lock, err := lockSocket(c.Socket)
	if err != nil {
		return fail(err)
	}
	l, err := bindSocket(c)
	if err != nil {
		_ = lock.Close()
		return fail(err)
	}
	return &unixSocket{Listener: l, lock: lock}, nil
}

// lockSocket takes the lock beside the socket. It decides between relays that
// start at the same moment, and falls with the process.
func lockSocket(path string) (*os.File, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, errors.New("another relay has it")
	}
	return lock, nil
}

func bindSocket(c config.Intake) (*unixsock.Listener, error) {
	l, err := unixsock.Listen(c.Socket) // nobody else gets in before mode and group are set
	if err != nil {
		return nil, err
	}
	if err := admit(c); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// admit gives the socket its group and mode.
func admit(c config.Intake) error {
	if c.SocketGroup != "" {
		gid, err := groupID(c.SocketGroup)
		if err != nil {
			return err
		}
		if err := os.Lchown(c.Socket, -1, gid); err != nil {
			return err
		}
	}
	return os.Chmod(c.Socket, c.SocketMode)
}

// groupID finds a group by name or number.
func groupID(name string) (int, error) {
	if gid, err := strconv.Atoi(name); err == nil {
		return gid, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}
