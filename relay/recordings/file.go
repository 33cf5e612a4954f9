package recordings

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
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
	SteadyOther = 2 * time.Second        // any other format
)

// knownFiles is how many files' facts are kept.
const knownFiles = 16 << 10

// A File says how a recording stands, and what is known of it. The facts are
// those of what is served: a slice alone, a headerless file with its header.
type File struct {
	State    string
	Bytes    int64   // 0 unless ready
	Seconds  float64 // 0: unknown
	Channels int     // 0: unknown

	facts *facts
	slice link.Slice
}

// SHA256 returns the hex sum of what is served, "" when the file is not ready
// or has changed since. The first call reads the file, later ones do not.
func (f File) SHA256() string {
	if f.facts == nil {
		return ""
	}
	return f.facts.sum(f.slice)
}

// part narrows the facts to those of a slice. One that cannot be cut is not to
// be had.
func (f File) part(s link.Slice) File {
	if f.State != StateReady || s.Whole() {
		return f
	}
	c, err := sliceContent(nil, f.facts.wave, s)
	if err != nil {
		return File{State: StateMissing}
	}
	f.slice, f.Bytes, f.Seconds = s, c.size(), f.facts.wave.Seconds(c.n)
	return f
}

// shelf knows the files of a tree: which are complete, and their facts.
// Safe for concurrent use.
type shelf struct {
	tree  *tree
	raw   func() *config.Raw
	known *cache[string, *facts]
}

func newShelf(t *tree, raw func() *config.Raw) *shelf {
	return &shelf{tree: t, raw: raw, known: newCache[string, *facts](knownFiles)}
}

// look describes the file at a canonical path. When it is pending, again says
// how soon it may be complete if nothing more happens to it; 0: not by itself.
func (s *shelf) look(name string) (file File, again time.Duration) {
	info, err := s.tree.stat(name)
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
	if again = f.unsteady(time.Now()); again > 0 {
		return File{State: StatePending}, again
	}
	return File{
		State: StateReady, Bytes: wholeContent(nil, f.info, f.wave).size(),
		Seconds: f.wave.Seconds(f.wave.DataSize), Channels: f.wave.Channels, facts: f,
	}, 0
}

// recall returns the facts of a file that is still in the state they are of.
func (s *shelf) recall(name string, info fs.FileInfo) (*facts, bool) {
	f, ok := s.known.get(name)
	return f, ok && f.same(info) && (!isRaw(name) || f.raw == s.raw())
}

// wave returns the header of an open file, which is read unless it is known.
func (s *shelf) wave(name string, file *os.File, info fs.FileInfo) (wav.Info, error) {
	if f, ok := s.recall(name, info); ok && f.whole && f.wave.Format != nil {
		return f.wave, nil
	}
	return waveOf(name, file, info.Size(), s.raw())
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

// examine reads the facts of a file, but for its sum.
func (s *shelf) examine(name string) (*facts, error) {
	file, info, err := s.tree.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	f := &facts{
		shelf: s, name: name, info: info, seen: time.Now(), steady: SteadyOther,
		raw: s.raw(), digests: map[link.Slice]string{},
	}
	f.wave, err = waveOf(name, file, info.Size(), f.raw)
	switch {
	case err == nil && f.wave.Headless():
		f.whole = true
	case err == nil:
		f.whole, f.steady = true, SteadyWave
	case errors.Is(err, wav.ErrNotWAV) && !isWave(name):
		f.whole = info.Size() > 0
	case !errors.Is(err, wav.ErrNotWAV) && !errors.Is(err, wav.ErrUnfinished):
		return nil, err
	}
	return f, nil
}

// facts are what is known of one state of a file.
type facts struct {
	shelf  *shelf
	name   string
	info   fs.FileInfo
	seen   time.Time // when this state was first met
	steady time.Duration
	whole  bool        // its sizes agree, or it has none
	raw    *config.Raw // what was said of headerless files
	wave   wav.Info

	mu      sync.Mutex
	digests map[link.Slice]string // of what was asked for
}

// same reports whether the file is still in the state that the facts are of.
func (f *facts) same(info fs.FileInfo) bool {
	return os.SameFile(f.info, info) && f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime())
}

// unsteady is how long the file still has to stay as it is. Its own time
// counts, so that a file which has long been complete is not waited for; where
// that lies ahead, what counts is when this state was first met.
func (f *facts) unsteady(now time.Time) time.Duration {
	return f.steady - max(now.Sub(f.info.ModTime()), now.Sub(f.seen))
}

// sum returns the hex SHA-256 of what is served. Errors are not remembered.
func (f *facts) sum(s link.Slice) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if digest, ok := f.digests[s]; ok {
		return digest
	}
	file, info, err := f.shelf.tree.open(f.name)
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

// isRaw reports whether the name is that of a headerless recording.
func isRaw(name string) bool { return strings.EqualFold(path.Ext(name), ".raw") }

// isWave reports whether the name promises a WAV file.
func isWave(name string) bool {
	ext := path.Ext(name)
	return strings.EqualFold(ext, ".wav") || strings.EqualFold(ext, ".wave")
}
