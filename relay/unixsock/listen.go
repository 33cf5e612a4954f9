package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxPath      = 107         // bytes of a unix socket's path, by the kernel's definition
	probeTimeout = time.Second // to find out whether a socket is still served
)

// CheckPath reports why a unix socket cannot have a path.
func CheckPath(path string) error {
	if len(path) > maxPath {
		return fmt.Errorf("the path is %d bytes long: at most %d", len(path), maxPath)
	}
	return nil
}

// Listen binds a socket with mode 0600, in a folder that is made where it is
// missing. A stale socket is replaced; what else lies at the path is an error.
// The process's umask is changed for a moment.
func Listen(path string) (*Listener, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	before := unix.Umask(0o177)
	defer unix.Umask(before)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	bound, err := os.Lstat(path)
	if err != nil {
		_ = l.Close()
		return nil, err
	}
	return &Listener{UnixListener: l, bound: bound}, nil
}

// A Listener is a bound socket.
type Listener struct {
	*net.UnixListener
	bound fs.FileInfo
}

// Close stops listening and removes the socket, unless something else lies at
// its path by now.
func (l *Listener) Close() error {
	path := l.Addr().String()
	if err := l.UnixListener.Close(); err != nil {
		return err
	}
	if there, err := os.Lstat(path); err != nil || !os.SameFile(there, l.bound) {
		return nil
	}
	return os.Remove(path)
}

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
	c, err := net.DialTimeout("unix", path, probeTimeout)
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
