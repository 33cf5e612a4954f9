package engine

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

// FormatVersion is the layout of the folder that this package writes.
const FormatVersion = 1

// Restoring is a file of the folder while a restore is not finished.
const Restoring = "restoring"

var errUnrestored = errors.New("a restore into it was not finished: empty the folder and restore again")

// Folder is the queue's place on disk, locked against a second relay.
type Folder struct {
	Dir     string
	Lock    *os.File
	Unclean bool // who had it before did not close it
}

// OpenFolder makes the folder when missing, takes its lock and checks its
// format number.
func OpenFolder(dir string) (*Folder, error) {
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	lock, unclean, err := LockFolder(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{Dir: dir, Lock: lock, Unclean: unclean}
	if err := f.checkFormat(); err != nil {
		f.Close()
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
	return SyncDir(parent)
}

// Path is that of something in the folder.
func (f *Folder) Path(parts ...string) string {
	return filepath.Join(append([]string{f.Dir}, parts...)...)
}

// Close gives the lock back. The file stays: removing it would let two relays
// lock two files of one name.
func (f *Folder) Close() { _ = f.Lock.Close() }

// Clean notes that all in the folder was closed as it should be.
func (f *Folder) Clean() error { return f.Lock.Truncate(0) }

// checkFormat writes the format number into a new folder and refuses a folder
// that a newer relay has written.
func (f *Folder) checkFormat() error {
	if _, err := os.Stat(f.Path(Restoring)); err == nil {
		return fmt.Errorf("open queue %s: %w", f.Dir, errUnrestored)
	}
	data, err := os.ReadFile(f.Path("format"))
	if errors.Is(err, os.ErrNotExist) {
		return WriteFile(f.Path("format"), []byte(strconv.Itoa(FormatVersion)+"\n"))
	}
	if err != nil {
		return fmt.Errorf("open queue: %w", err)
	}
	found, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("open queue %s: format number %q is not a number", f.Dir, data)
	}
	if found > FormatVersion {
		return fmt.Errorf("open queue %s: format %d is newer than this relay knows (%d)", f.Dir, found, FormatVersion)
	}
	return nil
}

// LockFolder locks the folder for as long as the returned file is open, which
// the kernel ends also when the process is killed. It reports whether the file
// names a process still, which then did not get so far as to close the folder.
func LockFolder(dir string) (lock *os.File, unclean bool, err error) {
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

// WriteFile replaces a file so that a crash leaves the old one or the new one,
// whole and on disk.
func WriteFile(path string, data []byte) error {
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
	return SyncDir(filepath.Dir(path))
}

// SyncNames makes every name below the folder durable. Where a power cut tore the
// end of a file, JetStream's start writes that file anew under another name and
// gives it the old one, without syncing the folder: what it stores there from then
// on would be under a name that the next power cut takes.
func (f *Folder) SyncNames() error {
	return filepath.WalkDir(f.Dir, func(path string, entry os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // the server has removed it meanwhile
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		if err := SyncDir(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
