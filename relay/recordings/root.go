package recordings

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"callrelay/relay/recordings/link"
)

// rootCheck is how often the folder is looked at for having been replaced.
const rootCheck = time.Second

// errIrregular is the error of what is neither a file nor missing: a folder, a
// FIFO, a device.
var errIrregular = errors.New("not a regular file")

// root is the folder that recordings lie in. Nothing outside it is ever
// opened, whatever a path or a symbolic link says. Safe for concurrent use.
type root struct {
	dir string // absolute

	mu      sync.Mutex
	real    string // dir with its symbolic links resolved, once it was opened
	root    *os.Root
	info    fs.FileInfo // of root
	checked time.Time
}

// newRoot returns the tree below dir, which need not be there yet.
func newRoot(dir string) *root { return &root{dir: filepath.Clean(dir)} }

// make makes the folder where it is missing.
func (t *root) make() error { return os.MkdirAll(t.dir, 0o750) }

// canonical returns a recording's path as links write it: below the folder,
// in its shortest form. It is false for a path that is not below it.
func (t *root) canonical(name string) (string, bool) {
	if filepath.IsAbs(name) {
		rel, below := strings.CutPrefix(name, t.dir+"/")
		if !below {
			rel, below = t.belowReal(name)
		}
		if !below {
			return "", false
		}
		name = rel
	}
	name = filepath.Clean(name)
	return name, link.CanonicalPath(name)
}

func (t *root) belowReal(name string) (rel string, below bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.real == "" {
		return "", false
	}
	return strings.CutPrefix(name, t.real+"/")
}

// open returns a regular file for reading. It never waits, neither for the
// writer of a FIFO nor for a device.
func (t *root) open(name string) (*os.File, fs.FileInfo, error) {
	root, err := t.current()
	if err != nil {
		return nil, nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errIrregular
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// stat describes a regular file.
func (t *root) stat(name string) (fs.FileInfo, error) {
	root, err := t.current()
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	return info, err
}

// find describes a recording under its name or, when it was converted and
// replaced, under its new one.
func (t *root) find(name string) (found string, info fs.FileInfo, err error) {
	if info, err = t.stat(name); !gone(err) {
		return name, info, err
	}
	root, rootErr := t.current()
	if rootErr != nil {
		return name, nil, err
	}
	folder, openErr := root.OpenRoot(path.Dir(name))
	if openErr != nil {
		return name, nil, err
	}
	defer func() { _ = folder.Close() }()
	stem := stemOf(path.Base(name))
	for _, k := range kinds {
		if _, err := folder.Lstat(stem + k.ext); err == nil {
			found = path.Join(path.Dir(name), stem+k.ext)
			info, err = t.stat(found)
			return found, info, err
		}
	}
	return name, nil, err
}

// written reports whether somebody has a file open for writing. False where the
// kernel does not say it: to other users than the file's, and over most networks.
func (t *root) written(name string) bool {
	file, _, err := t.open(name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // which gives the lease back
	_, err = unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_RDLCK)
	return errors.Is(err, unix.EAGAIN)
}

// folder opens a folder to list it, and nothing else.
func (t *root) folder(name string) (*os.File, error) {
	root, err := t.current()
	if err != nil {
		return nil, err
	}
	return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_DIRECTORY, 0)
}

// current returns the root, opened anew when another folder has taken its
// place: a mount, or one made again. The old root is closed by the garbage
// collector, after its last use.
func (t *root) current() (*os.Root, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.root != nil && time.Since(t.checked) < rootCheck {
		return t.root, nil
	}
	info, err := os.Stat(t.dir)
	if err != nil {
		return nil, err
	}
	t.checked = time.Now()
	if t.root != nil && os.SameFile(info, t.info) {
		return t.root, nil
	}
	root, err := os.OpenRoot(t.dir)
	if err != nil {
		return nil, err
	}
	t.root, t.info = root, info
	t.real, _ = filepath.EvalSymlinks(t.dir)
	return root, nil
}

// gone reports whether err says that a file is not there, or not yet.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// barred reports whether err says that a file may be there and cannot be read:
// what is not gone, not irregular, and does not lead out of the tree.
func barred(err error) bool {
	if errors.Is(err, fs.ErrPermission) {
		return true
	}
	var errno syscall.Errno
	if gone(err) || !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.ENXIO: // ENXIO: a socket
		return false
	}
	return true
}
