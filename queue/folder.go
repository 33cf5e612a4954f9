package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"callrelay/queue/record"
)

// formatVersion is the layout of the folder that this package writes.
const formatVersion = 1

// folder is the queue's place on disk, locked against a second relay.
type folder struct {
	dir     string
	lock    *os.File
	unclean bool // who had it before did not close it
}

// openFolder makes the folder when missing, takes its lock and checks its
// format number.
func openFolder(dir string) (*folder, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	lock, unclean, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir, lock: lock, unclean: unclean}
	if err := f.checkFormat(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// makeDir makes a folder and those above it, durably where they are new.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return syncDir(parent)
}

func (f *folder) path(parts ...string) string {
	return filepath.Join(append([]string{f.dir}, parts...)...)
}

// close gives the lock back. The file stays: removing it would let two relays
// lock two files of one name.
func (f *folder) close() { _ = f.lock.Close() }

// clean notes that all in the folder was closed as it should be.
func (f *folder) clean() error { return f.lock.Truncate(0) }

// checkFormat writes the format number into a new folder and refuses a folder
// that a newer relay has written.
func (f *folder) checkFormat() error {
	if _, err := os.Stat(f.path(restoring)); err == nil {
		return fmt.Errorf("open queue %s: %w", f.dir, errUnrestored)
	}
	data, err := os.ReadFile(f.path("format"))
	if errors.Is(err, os.ErrNotExist) {
		return writeFile(f.path("format"), []byte(strconv.Itoa(formatVersion)+"\n"))
	}
	if err != nil {
		return fmt.Errorf("open queue: %w", err)
	}
	found, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("open queue %s: format number %q is not a number", f.dir, data)
	}
	if found > formatVersion {
		return fmt.Errorf("open queue %s: format %d is newer than this relay knows (%d)", f.dir, found, formatVersion)
	}
	return nil
}

// lockFolder locks the folder for as long as the returned file is open, which
// the kernel ends also when the process is killed. It reports whether the file
// names a process still, which then did not get so far as to close the folder.
func lockFolder(dir string) (lock *os.File, unclean bool, err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("open queue: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, false, fmt.Errorf("open queue %s: lock: %w", dir, err)
		}
		return nil, false, fmt.Errorf("queue %s is %w (%s)", dir, record.ErrBusy, holder(file))
	}
	unclean = holder(file) != unknownHolder
	if err := errors.Join(file.Truncate(0), writeAt(file, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		file.Close()
		return nil, false, fmt.Errorf("open queue %s: lock: %w", dir, err)
	}
	return file, unclean, nil
}

const unknownHolder = "pid unknown"

func holder(file *os.File) string {
	buf := make([]byte, 32)
	n, _ := file.ReadAt(buf, 0)
	if pid := strings.TrimSpace(string(buf[:n])); pid != "" {
		return "pid " + pid
	}
	return unknownHolder
}

func writeAt(file *os.File, text string) error {
	_, err := file.WriteAt([]byte(text), 0)
	return err
}

// writeFile replaces a file so that a crash leaves the old one or the new one,
// whole and on disk.
func writeFile(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncNames makes every name below the folder durable. Where a power cut tore the
// end of a file, JetStream's start writes that file anew under another name and
// gives it the old one, without syncing the folder: what it stores there from then
// on would be under a name that the next power cut takes.
func (f *folder) syncNames() error {
	return filepath.WalkDir(f.dir, func(path string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // the server has removed it meanwhile
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		if err := syncDir(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
