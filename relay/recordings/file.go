package recordings

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"callrelay/config"
	"callrelay/relay/recordings/link"
	"callrelay/relay/recordings/wav"
)

// States of a recording.
const (
	StateReady      = "ready"      // complete
	StatePending    = "pending"    // not there, growing, or left behind unfinished: worth waiting for
	StateMissing    = "missing"    // not to be had: outside the folder, or no regular file
	StateUnreadable = "unreadable" // there, and the relay may not read it
	StateNone       = "none"       // the event has no recording
)

// How long a file's size and time must not have changed before it is taken to
// be complete.
const (
	SteadyWave  = 400 * time.Millisecond // a WAV file whose header agrees
	SteadyOther = 2 * time.Second        // any other format, and one whose header does not agree
)

// A header of sizes 0 is that of a recording in progress. What its writer holds
// back, as Asterisk does, is written before so much time has passed; while it has
// the file open, so far as the kernel says it, the file is not complete, but
// for one that was left open.
const (
	heldBack = 32 << 10 // bytes
	heldMore = 500 * time.Millisecond
	leftOpen = 30 * time.Second
)

// knownFiles is how many files' metadata is kept.
const knownFiles = 16 << 10

// A File says how a recording stands, and what is known of it. The metadata is
// those of what is served: a slice alone, a headerless file with its header.
type File struct {
	State    string
	Name     string  // below the folder, as it was found: it may have been converted
	Type     string  // of its content; "" unless ready
	Bytes    int64   // 0 unless ready
	Seconds  float64 // 0: unknown
	Channels int     // 0: unknown

	meta  *fileMeta
	slice link.Slice
}

// SHA256 returns the hex digest of what is served, "" when the file is not ready
// or has changed since. The first call reads the file, later ones do not.
func (f File) SHA256() string {
	if f.meta == nil {
		return ""
	}
	return f.meta.digest(f.slice)
}

// part narrows the metadata to those of a slice. One that cannot be cut is not to
// be had.
func (f File) part(s link.Slice) File {
	if f.State != StateReady || s.Whole() {
		return f
	}
	c, err := sliceContent(nil, f.meta.wave, s)
	if err != nil {
		return File{State: StateMissing}
	}
	f.slice, f.Type, f.Bytes, f.Seconds = s, waveType, c.size(), f.meta.wave.Seconds(c.n)
	return f
}

// fileCache knows the files of a tree: which are complete, and their metadata.
// Safe for concurrent use.
type fileCache struct {
	root  *root
	raw   func() *config.Raw
	known *cache[string, *fileMeta]
}

func newFileCache(t *root, raw func() *config.Raw) *fileCache {
	return &fileCache{root: t, raw: raw, known: newCache[string, *fileMeta](knownFiles)}
}

// look describes the file at a canonical path. When it is pending, again says
// how soon it may be complete if nothing more happens to it; 0: not by itself.
func (s *fileCache) look(name string) (file File, again time.Duration) {
	name, info, err := s.root.find(name)
	if err != nil {
		return File{State: stateOf(err)}, 0
	}
	f, ok := s.recall(name, info)
	if !ok {
		if f, err = s.examine(name); err != nil {
			return File{State: stateOf(err)}, 0
		}
		s.known.put(name, f)
	}
	if !f.whole {
		return File{State: StatePending}, 0
	}
	if again = f.settling(time.Now()); again > 0 {
		return File{State: StatePending}, again
	}
	return File{
		State: StateReady, Name: name, Type: f.kind, Bytes: wholeContent(nil, f.info, f.wave).size(),
		Seconds: f.wave.Seconds(f.wave.DataSize), Channels: f.wave.Channels, meta: f,
	}, 0
}

// recall returns the metadata of a file that is still in the state it is of.
func (s *fileCache) recall(name string, info fs.FileInfo) (*fileMeta, bool) {
	f, ok := s.known.get(name)
	return f, ok && f.same(info) && (!isRaw(name) || f.raw == s.raw())
}

// wave returns the header of an open file, which is read unless it is known.
func (s *fileCache) wave(name string, file *os.File, info fs.FileInfo) (wav.Info, error) {
	var w wav.Info
	var err error
	if f, ok := s.recall(name, info); ok && f.whole && f.wave.Format != nil {
		w = f.wave
	} else {
		w, err = waveOf(name, file, info.Size(), s.raw())
	}
	if err == nil && w.Sizes != wav.Agree && time.Since(info.ModTime()) < steadyTime(w) {
		err = wav.ErrUnfinished // it may still grow
	}
	return w, err
}

// cuttable reports whether slices of a file can be served; of one that is not
// ready its name alone says it.
func (s *fileCache) cuttable(name string) bool {
	if file, _ := s.look(name); file.State == StateReady {
		return file.meta.wave.Cuttable()
	}
	return isRaw(name) || typeOf(name) == waveType
}

func stateOf(err error) string {
	switch {
	case gone(err):
		return StatePending
	case barred(err):
		return StateUnreadable
	}
	return StateMissing
}

// examine reads the metadata of a file, but for its digest.
func (s *fileCache) examine(name string) (*fileMeta, error) {
	file, info, err := s.root.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	f := &fileMeta{
		files: s, name: name, info: info, seen: time.Now(), steady: SteadyOther,
		raw: s.raw(), digests: map[link.Slice]string{},
	}
	f.kind = kindOf(name, file)
	f.wave, err = waveOf(name, file, info.Size(), f.raw)
	switch {
	case err == nil:
		f.whole, f.steady, f.kind = true, steadyTime(f.wave), waveType
	case errors.Is(err, wav.ErrNotWAV) && f.kind != waveType:
		f.whole = info.Size() > 0
	case !errors.Is(err, wav.ErrNotWAV) && !errors.Is(err, wav.ErrUnfinished):
		return nil, err
	}
	return f, nil
}

// steadyTime is how long a WAV file must not have changed.
func steadyTime(w wav.Info) time.Duration {
	switch {
	case w.Headless() || w.Sizes == wav.Differ:
		return SteadyOther
	case w.Sizes == wav.Unset:
		return max(SteadyOther, time.Duration(w.Seconds(heldBack)*float64(time.Second))+heldMore)
	}
	return SteadyWave
}

// fileMeta is what is known of one state of a file.
type fileMeta struct {
	files  *fileCache
	name   string
	info   fs.FileInfo
	seen   time.Time // when this state was first met
	steady time.Duration
	whole  bool // all that it should hold is there, as far as it says
	kind   string
	raw    *config.Raw // what was said of headerless files
	wave   wav.Info

	mu      sync.Mutex
	digests map[link.Slice]string // of what was asked for
}

// same reports whether the file is still in the state that the metadata is of.
func (f *fileMeta) same(info fs.FileInfo) bool {
	return os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime())
}

// settling is how long the file still has to stay as it is. Its own time
// counts, so that a file which has long been complete is not waited for; where
// that lies ahead, what counts is when this state was first met.
func (f *fileMeta) settling(now time.Time) time.Duration {
	steady := max(now.Sub(f.info.ModTime()), now.Sub(f.seen))
	left := f.steady - steady
	switch {
	case f.wave.Sizes == wav.Agree:
		return left
	case left <= 0 && steady < leftOpen && f.files.root.written(f.name):
		return PollEvery
	}
	return min(left, PollEvery) // its header may come to agree before
}

// digest returns the hex SHA-256 of what is served. Errors are not remembered.
func (f *fileMeta) digest(s link.Slice) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if digest, ok := f.digests[s]; ok {
		return digest
	}
	file, info, err := f.files.root.open(f.name)
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	c, err := partContent(file, info, f.wave, s)
	if err != nil || !f.same(info) {
		return ""
	}
	h := sha256.New()
	if _, err := c.copyTo(h, c.size()); err != nil {
		return ""
	}
	f.digests[s] = hex.EncodeToString(h.Sum(nil))
	return f.digests[s]
}
