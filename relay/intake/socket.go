package intake

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"callrelay/config"
)

// maxSocketPath is the longest path that a unix socket may have, in bytes.
const maxSocketPath = 107

// unixSocket is the bound socket with the lock that keeps a second relay away.
type unixSocket struct {
	*net.UnixListener
	lock *os.File
}

// Close removes the socket and lets the lock go.
func (s *unixSocket) Close() error {
	return errors.Join(s.UnixListener.Close(), s.lock.Close())
}

// listenSocket binds the socket of the configuration. It removes a stale one,
// which is a socket that nobody listens on, and touches nothing else.
func listenSocket(c config.Intake) (net.Listener, error) {
	fail := func(err error) (net.Listener, error) {
		return nil, fmt.Errorf("listen on %s: %w", c.Socket, err)
	}
	if len(c.Socket) > maxSocketPath {
		return fail(fmt.Errorf("the path is %d bytes long: at most %d", len(c.Socket), maxSocketPath))
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
	return &unixSocket{UnixListener: l, lock: lock}, nil
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

func bindSocket(c config.Intake) (*net.UnixListener, error) {
	if err := removeStale(c.Socket); err != nil {
		return nil, err
	}
	before := unix.Umask(0o177) // nobody else gets in before mode and group are set
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.Socket, Net: "unix"})
	unix.Umask(before)
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

// removeStale removes a socket that nobody listens on. Anything else at the
// path is an error.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("there is a %s, which is not touched", kindOf(info.Mode()))
	}
	c, err := net.Dial("unix", path)
	switch {
	case err == nil:
		_ = c.Close()
		return errors.New("another process listens there")
	case !errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("another process may listen there: %w", err)
	}
	return os.Remove(path)
}

func kindOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "folder"
	case fs.ModeSymlink:
		return "symbolic link"
	default:
		return "special file"
	}
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
