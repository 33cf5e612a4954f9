package recordings

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"

	"callrelay/relay/recordings/wav"
)

// soon bounds a wait for what should happen: far more than it takes.
const soon = 20 * time.Second

// readyTime watches a file and returns where the time at which it became ready
// comes out.
func readyTime(r *Recordings, path string) <-chan time.Time {
	at := make(chan time.Time, 2)
	r.Watch(path, func() { at <- time.Now() })
	return at
}

// a writer writes a recording as a call server does.
type writer struct {
	t    testing.TB
	path string
	done atomic.Int64 // when it was complete, in ns; 0: not yet
}

func (w *writer) create() *os.File {
	f, err := os.Create(w.path)
	if err != nil {
		w.t.Error(err)
	}
	return f
}

// grow writes data in steps, one every 50 ms.
func (w *writer) grow(f *os.File, data []byte, steps int) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := range steps {
		from, to := len(data)*i/steps, len(data)*(i+1)/steps
		if i == steps-1 {
			defer w.completed()
		}
		if _, err := f.Write(data[from:to]); err != nil {
			w.t.Error(err)
		}
		<-tick.C
	}
}

func (w *writer) completed() { w.done.CompareAndSwap(0, time.Now().UnixNano()) }

// TestReadyWhenComplete has files come to be in all ways that are known, all
// at once. Each is ready within a second of its completion, and never before.
func TestReadyWhenComplete(t *testing.T) {
	t.Parallel()
	type watching struct {
		name  string
		r     *Recordings
		w     *writer
		path  string
		ready <-chan time.Time
	}
	var all []watching
	for name, polled := range map[string]bool{"notified": false, "polled": true} {
		r, _ := openTest(t, testConfig(t), Options{})
		if polled {
			deafen(t, r)
		}
		for _, way := range ways {
			w := &writer{t: t, path: filepath.Join(r.root.dir, way.path)}
			all = append(all, watching{name + ", " + way.name, r, w, way.path, readyTime(r, way.path)})
			go way.write(w, testFile(t, "mono.wav"))
		}
	}
	for _, way := range all {
		t.Run(way.name, func(t *testing.T) { checkReady(t, way.r, way.path, way.w, way.ready) })
	}
}

// deafen leaves polling alone to find changes.
func deafen(t *testing.T, r *Recordings) {
	t.Helper()
	if err := r.watcher.folders.close(); err != nil {
		t.Fatal(err)
	}
}

var ways = []struct {
	name  string
	path  string
	write func(w *writer, data []byte)
}{
	{"header at the close", "close.wav", func(w *writer, data []byte) {
		f := w.create()
		w.grow(f, append(unfinished(), data[44:]...), 20)
		w.done.Store(0)
		_, _ = f.WriteAt(data[:44], 0)
		w.completed()
	}},
	{"header from the start", "start.wav", func(w *writer, data []byte) { w.grow(w.create(), data, 20) }},
	{"header right at every step", "steps.wav", func(w *writer, data []byte) {
		f := w.create()
		for range time.Tick(100 * time.Millisecond) {
			info, _ := f.Stat()
			n := min(int(max(info.Size(), 44))+4800, len(data))
			_, _ = f.WriteAt(data[44:n], 44)
			_, _ = f.WriteAt(wav.Raw(8000, 1, 0).HeaderFor(int64(n-44)), 0)
			if n == len(data) {
				w.completed()
				return
			}
		}
	}},
	{"stays open", "open.wav", func(w *writer, data []byte) {
		f := w.create()
		w.t.Cleanup(func() { _ = f.Close() })
		w.grow(f, data, 4)
	}},
	{"an empty one first, the real one moved in", "moved.wav", func(w *writer, data []byte) {
		_ = w.create().Close()
		moved := &writer{t: w.t, path: w.path + ".tmp"}
		moved.grow(moved.create(), data, 10)
		_ = os.Rename(moved.path, w.path)
		w.completed()
	}},
	{"in a folder that comes late", "2020/04/22/late.wav", func(w *writer, data []byte) {
		_ = os.MkdirAll(filepath.Dir(w.path), 0o755)
		w.grow(w.create(), data, 10)
	}},
	{"a folder moved in", "moved/in/late.wav", func(w *writer, data []byte) {
		dir := filepath.Join(w.t.TempDir(), "in") // on the same filesystem
		_ = os.MkdirAll(filepath.Join(dir, "in"), 0o755)
		_ = os.WriteFile(filepath.Join(dir, "in", "late.wav"), data, 0o644)
		_ = os.Rename(dir, filepath.Dir(filepath.Dir(w.path)))
		w.completed()
	}},
	{"a symlink to one that grows", "link.wav", func(w *writer, data []byte) {
		_ = os.Mkdir(w.path+".d", 0o755)
		_ = os.Symlink(filepath.Base(w.path)+".d/it.wav", w.path)
		real := &writer{t: w.t, path: w.path + ".d/it.wav"}
		real.grow(real.create(), data, 10)
		w.done.Store(real.done.Load())
	}},
}

// unfinished is the header that a call server writes first.
func unfinished() []byte {
	head := wav.Raw(8000, 2, 0).HeaderFor(0)
	clear(head[4:8])
	return head
}

func checkReady(t *testing.T, r *Recordings, path string, w *writer, ready <-chan time.Time) {
	t.Helper()
	select {
	case at := <-ready:
		done := w.done.Load()
		if done == 0 || at.UnixNano() < done {
			t.Fatal("ready before it was complete")
		}
		if late := at.Sub(time.Unix(0, done)); late > time.Second {
			t.Errorf("ready %s after it was complete", late)
		}
	case <-time.After(soon):
		t.Fatal("never ready")
	}
	if got := r.Look(path, -1, -1); got.State != StateReady {
		t.Errorf("Look = %s, want %s", got.State, StateReady)
	}
}

func TestOtherFormatsAreSteadyForTwoSeconds(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	w := &writer{t: t, path: filepath.Join(r.root.dir, "song.mp3")}
	ready := readyTime(r, "song.mp3")
	w.grow(w.create(), []byte("ID3 and what follows it"), 5)
	select {
	case at := <-ready:
		if took := at.Sub(time.Unix(0, w.done.Load())); took < SteadyOther-100*time.Millisecond || took > SteadyOther+time.Second {
			t.Errorf("ready %s after the last write, want %s", took, SteadyOther)
		}
	case <-time.After(soon):
		t.Fatal("never ready")
	}
}

// TestNotReady looks at what is not complete as often as its watch does.
func TestNotReady(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	looks := make(chan string, 1000)
	look := r.watcher.look
	r.watcher.look = func(name string) (File, time.Duration) {
		defer func() { looks <- name }()
		return look(name)
	}
	putOld(t, r, "head.wav", unfinished())
	head, never := readyTime(r, "head.wav"), readyTime(r, "never.wav")
	outside := readyTime(r, "../outside.wav")
	for seen := map[string]int{}; seen["head.wav"] < 3 || seen["never.wav"] < 3; {
		select {
		case <-head:
			t.Fatal("a header alone is ready")
		case <-never:
			t.Fatal("what is not there is ready")
		case <-outside:
			t.Fatal("what is outside is ready")
		case name := <-looks:
			seen[name]++
		case <-time.After(soon):
			t.Fatal("not looked at")
		}
	}
}

func TestReadyAtOnce(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	putOld(t, r, "a.wav", testFile(t, "mono.wav"))
	began := time.Now()
	select {
	case at := <-readyTime(r, "a.wav"):
		if took := at.Sub(began); took > PollEvery {
			t.Errorf("ready after %s, want at once", took)
		}
	case <-time.After(soon):
		t.Fatal("never ready")
	}
}

// TestManyWait shows what waiting costs: two thousand files of a folder, one
// watch of the kernel, and one goroutine for it.
func TestManyWait(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	var ready atomic.Int64
	done := make(chan struct{})
	const files = 2000
	var cancels []func()
	for i := range files {
		cancels = append(cancels, r.Watch(fmt.Sprintf("%d.wav", i), func() {
			if ready.Add(1) == files/2 {
				close(done)
			}
		}))
	}
	waitFor(t, "one watch of the kernel", func() bool { return len(r.watcher.folders.notify.WatchList()) == 1 })
	for i := files / 2; i < files; i++ {
		cancels[i]()
		cancels[i]() // again changes nothing
	}
	data := append(wav.Raw(8000, 2, 4).HeaderFor(4), make([]byte, 4)...)
	for i := range files {
		putOld(t, r, fmt.Sprintf("%d.wav", i), data)
	}
	select {
	case <-done:
	case <-time.After(soon):
		t.Fatalf("%d of %d ready", ready.Load(), files/2)
	}
	r.watcher.mu.Lock()
	left := len(r.watcher.files)
	r.watcher.mu.Unlock()
	if held := len(r.watcher.folders.notify.WatchList()); left != 0 || held != 0 || ready.Load() != files/2 {
		t.Errorf("%d files and %d folders still watched, %d ready, want 0, 0, %d", left, held, ready.Load(), files/2)
	}
}

// waitFor waits until a condition holds.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.After(soon); !holds(); {
		select {
		case <-end:
			t.Fatalf("never: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func TestOverrunLooksAtAll(t *testing.T) {
	t.Parallel()
	r, _ := openTest(t, testConfig(t), Options{})
	ready := readyTime(r, "a.wav")
	waitFor(t, "a look", func() bool { return len(r.watcher.folders.notify.WatchList()) == 1 })
	if err := r.watcher.folders.notify.Remove(r.root.dir); err != nil {
		t.Fatal(err)
	}
	putOld(t, r, "a.wav", testFile(t, "mono.wav"))
	r.watcher.folders.notify.Errors <- fsnotify.ErrEventOverflow
	select {
	case <-ready:
	case <-time.After(soon):
		t.Fatal("never ready")
	}
}

// TestUnreadable takes the right to read away from this thread alone.
func TestUnreadable(t *testing.T) {
	r, _ := openTest(t, testConfig(t), Options{})
	putOld(t, r, "a.wav", testFile(t, "mono.wav"))
	if err := os.Chmod(filepath.Join(r.root.dir, "a.wav"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.root.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	looked := make(chan File)
	go func() {
		if os.Getuid() == 0 {
			runtime.LockOSThread() // not given back: the thread ends here
			if _, err := unix.SetfsuidRetUid(65534); err != nil {
				t.Error(err)
			}
		}
		looked <- r.Look("a.wav", -1, -1)
	}()
	if got := <-looked; got.State != StateUnreadable {
		t.Errorf("Look = %s, want %s", got.State, StateUnreadable)
	}
	if got := r.Link("a.wav", "", time.Now(), -1, -1); got == "" {
		t.Error("link is empty")
	}
}

func TestFactsAreThoseOfTheFile(t *testing.T) {
	r, text := openTest(t, testConfig(t), Options{})
	data := testFile(t, "mono.wav")
	putOld(t, r, "a.wav", data)
	first := r.Look("a.wav", -1, -1)
	if first.Bytes != int64(len(data)) || first.Seconds != 3 || first.Channels != 1 {
		t.Errorf("Look = %d bytes, %v s, %d channels, want %d, 3, 1", first.Bytes, first.Seconds, first.Channels, len(data))
	}
	if got, want := first.SHA256(), sum(data); got != want {
		t.Errorf("SHA256 = %s, want %s", got, want)
	}
	if up, err := first.Open(); err != nil || up.SHA256() != sum(data) || up.Close() != nil {
		t.Errorf("opened: %v, or its sum is not the file's", err)
	}
	if again := r.Look("a.wav", -1, -1); again.meta != first.meta {
		t.Error("meta were read again")
	}
	data[100]++
	putOld(t, r, "a.wav", data)
	waitFor(t, "another sum", func() bool { return r.Look("a.wav", -1, -1).SHA256() == sum(data) })

	r.LookAgent("a.wav")
	r.LookAgent("a.wav")
	putOld(t, r, "dual.wav", testFile(t, "stereo.wav"))
	r.LookAgent("dual.wav")
	if got := countLines(text.String(), "has not two channels"); got != 1 {
		t.Errorf("said %d times that the agent's recording has not two channels, want once", got)
	}
}
