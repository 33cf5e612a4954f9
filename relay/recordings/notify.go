package recordings

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// folders hears of changes in folders, each watched once however many files
// are waited for in it. Where the kernel cannot notice it, it says nothing: who
// uses it polls as well. Safe for concurrent use.
type folders struct {
	root   string
	notify *fsnotify.Watcher // nil: there is none to be had
	log    *slog.Logger
	polled sync.Once // said so

	// mu is held while the kernel is asked, which is quick, so that both always
	// agree about what is watched.
	mu   sync.Mutex
	held map[string]int // how many files wait in each
}

func newFolders(root string, log *slog.Logger) *folders {
	f := &folders{root: root, log: log, held: map[string]int{}}
	var err error
	if f.notify, err = fsnotify.NewBufferedWatcher(eventBuffer); err != nil {
		log.Warn("recordings are polled", "err", err)
	}
	return f
}

// eventBuffer is how many events wait for us before those of the kernel do.
const eventBuffer = 1 << 10

// hold watches dir, or the nearest folder above it that is there, and returns
// which one it is; "" when there is no watching at all.
func (f *folders) hold(dir string) string {
	if f.notify == nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		if f.held[dir] > 0 {
			f.held[dir]++
			return dir
		}
		err := f.notify.Add(filepath.Join(f.root, dir))
		if err == nil {
			f.held[dir] = 1
			return dir
		}
		if missing := errors.Is(err, fs.ErrNotExist); !missing || dir == "." {
			f.polling(missing, err)
			return ""
		}
		dir = filepath.Dir(dir)
	}
}

// polling says once that the kernel refuses to notify, which the operator may
// want to mend. That the root is missing is no reason.
func (f *folders) polling(missing bool, err error) {
	if !missing {
		f.polled.Do(func() { f.log.Warn("recordings are polled", "err", err) })
	}
}

// release ends one hold.
func (f *folders) release(dir string) {
	if dir == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[dir]--; f.held[dir] > 0 {
		return
	}
	delete(f.held, dir)
	_ = f.notify.Remove(filepath.Join(f.root, dir)) // it may have been deleted
}

// run hands over events, by their path below the root, until close. An
// overrun, after which anything may have changed, is the path "".
func (f *folders) run(changed func(name string, op fsnotify.Op)) {
	if f.notify == nil {
		return
	}
	for {
		select {
		case e, ok := <-f.notify.Events:
			if !ok {
				return
			}
			if name, err := filepath.Rel(f.root, e.Name); err == nil {
				changed(name, e.Op)
			}
		case err, ok := <-f.notify.Errors:
			if !ok {
				return
			}
			f.log.Debug("recordings looked at again", "err", err)
			changed("", 0)
		}
	}
}

func (f *folders) close() error {
	if f.notify == nil {
		return nil
	}
	return f.notify.Close()
}
