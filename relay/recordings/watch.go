package recordings

import (
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A file that is waited for is looked at every PollEvery, and sooner when the
// kernel reports a change. The more there are beside pollFull, the more seldom
// each is looked at, so that polling never makes more than 800 looks a second.
const (
	PollEvery = 500 * time.Millisecond
	pollFull  = 400
	looksOnce = 8 // at the same time
)

// A watcher notifies when files become ready. It holds a timer and an entry for
// each, and one watch of the kernel for each folder. Safe for concurrent use.
type watcher struct {
	look    func(name string) (File, time.Duration)
	folders *folders
	slots   chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	files  map[string]*watched
}

// watched is one file that is waited for. Its fields are guarded by
// watcher.mu.
type watched struct {
	name   string
	folder string // the one that is held for it: its own, or one above
	timer  *time.Timer
	news   bool // of a change since the look that is under way began
	calls  map[*func()]struct{}
}

func newWatcher(root string, look func(string) (File, time.Duration), log *slog.Logger) *watcher {
	w := &watcher{
		look: look, folders: newFolders(root, log), slots: make(chan struct{}, looksOnce), files: map[string]*watched{},
	}
	w.running.Go(func() { w.folders.run(w.changed) })
	return w
}

// watch calls ready once the file is, on a goroutine of the watcher.
func (w *watcher) watch(name string, ready func()) (cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return func() {}
	}
	f, ok := w.files[name]
	if ok {
		f.lookIn(0)
	} else {
		f = &watched{name: name, calls: map[*func()]struct{}{}}
		f.timer = time.AfterFunc(0, func() { w.check(f) })
		w.files[name] = f
	}
	f.calls[&ready] = struct{}{}
	return func() { w.cancel(f, &ready) }
}

func (w *watcher) cancel(f *watched, ready *func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(f.calls, ready)
	if len(f.calls) == 0 && w.files[f.name] == f {
		w.drop(f)
	}
}

// drop forgets a file; w.mu is held.
func (w *watcher) drop(f *watched) {
	f.timer.Stop()
	delete(w.files, f.name)
	w.folders.release(f.folder)
}

// check looks at a file, and calls those who wait for it when it is ready.
// Otherwise it will be looked at again.
func (w *watcher) check(f *watched) {
	if !w.begin(f) {
		return
	}
	defer w.running.Done()
	w.slots <- struct{}{}
	w.place(f)
	file, again := w.look(f.name)
	<-w.slots
	for _, ready := range w.settle(f, file.State == StateReady, again) {
		ready()
	}
}

// begin reports whether the file is still waited for, and counts the check
// that it allows.
func (w *watcher) begin(f *watched) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.files[f.name] != f {
		return false
	}
	w.running.Add(1)
	f.news = false
	return true
}

// place makes the kernel report changes to the file, or of the making of its
// folder. It comes before the look, so that no change falls between.
func (w *watcher) place(f *watched) {
	want := path.Dir(f.name)
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.folder == want || w.files[f.name] != f {
		return
	}
	old := f.folder
	f.folder = w.folders.hold(want)
	w.folders.release(old)
}

// settle ends the watch of a file that is ready and returns whom to call, or
// sets the time of the next look.
func (w *watcher) settle(f *watched, ready bool, again time.Duration) (calls []func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.files[f.name] != f {
		return nil
	}
	if !ready {
		w.lookAgain(f, again)
		return nil
	}
	w.drop(f)
	for call := range f.calls {
		calls = append(calls, *call)
	}
	return calls
}

// lookAgain sets the time of the next look, unless a change has set it during
// this one; w.mu is held.
func (w *watcher) lookAgain(f *watched, again time.Duration) {
	switch {
	case f.news:
	case again > 0:
		f.timer.Reset(again)
	default:
		f.timer.Reset(PollEvery * time.Duration(1+len(w.files)/pollFull))
	}
}

// lookIn has the file looked at, because of a change; w.mu is held.
func (f *watched) lookIn(d time.Duration) {
	f.news = true
	f.timer.Reset(d)
}

// changed takes an event of the kernel. A file that was written to cannot be
// ready before its steady time; anything else is looked at now.
func (w *watcher) changed(name string, op fsnotify.Op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, ok := w.files[name]
	switch {
	case ok && op == fsnotify.Write:
		f.lookIn(SteadyWave)
	case ok:
		f.lookIn(0)
	case name == "" || op.Has(fsnotify.Create):
		w.appeared(name)
	}
}

// appeared looks at all files below a new folder, at those that a new file may
// replace, or at all there are; w.mu is held.
func (w *watcher) appeared(folder string) {
	for name, f := range w.files {
		if folder == "" || f.folder != path.Dir(name) && strings.HasPrefix(name, folder+"/") || converted(name, folder) {
			f.lookIn(0)
		}
	}
}

// converted reports whether two names differ in their ends alone.
func converted(name, other string) bool { return stemOf(name) == stemOf(other) }

// close ends all watches and waits for what is under way.
func (w *watcher) close() error {
	w.mu.Lock()
	w.closed = true
	for _, f := range w.files {
		w.drop(f)
	}
	w.mu.Unlock()
	err := w.folders.close()
	w.running.Wait()
	return err
}
