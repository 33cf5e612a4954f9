package recordings

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"callrelay/relay/recordings/link"
)

const (
	recentPaths    = 32 << 10  // linked lately, found without their folder
	indexedNames   = 256 << 10 // kept of all folders together, but for the one used last
	indexedFolders = 1 << 8
	relistAfter    = time.Second // a folder is not listed more often
	namesAtATime   = 4 << 10
	nameChunk      = 64 << 10 // bytes
	listsAtOnce    = 2
)

// A pathID is what a token decrypts to, see [render.PathID].
type pathID = [16]byte

// tokens finds the files that anonymous links mean. A token does not hold the
// file's name, so the names of its folder are listed and indexed, anew when
// the folder has changed; what was linked lately is known without. All of it
// can be made again from the folder, so nothing is stored. Safe for concurrent
// use.
type tokens struct {
	root   *root
	recent *cache[pathID, string]

	mu      sync.Mutex
	folders map[string]*tokenFolder
	names   int // in all folders

	lists chan struct{} // holds one for each folder that is being listed
}

func newTokens(t *root) *tokens {
	return &tokens{root: t, recent: newCache[pathID, string](recentPaths), folders: map[string]*tokenFolder{}, lists: make(chan struct{}, listsAtOnce)}
}

// add makes a path known that is being linked.
func (t *tokens) add(name string) { t.recent.put(link.PathID(name), name) }

// find returns the path in folder dir that has one of the ids.
func (t *tokens) find(dir string, ids []pathID) (string, bool) {
	for _, id := range ids {
		if name, ok := t.recent.get(id); ok && path.Dir(name) == dir {
			return name, true
		}
	}
	f := t.folder(dir)
	defer t.leave(dir, f)
	f.listing.Lock()
	defer f.listing.Unlock()
	if name, ok := f.find(dir, ids); ok {
		return name, true
	}
	t.lists <- struct{}{}
	listed := f.list(t.root, dir)
	<-t.lists
	if !listed {
		return "", false
	}
	t.keep(dir, f)
	return f.find(dir, ids)
}

// folder returns the index of a folder, the same one to all who ask at a time:
// an empty one where there is none yet. It is to be left.
func (t *tokens) folder(dir string) *tokenFolder {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.folders[dir]
	if !ok {
		f = &tokenFolder{}
		t.folders[dir] = f
	}
	f.users++
	f.used = time.Now()
	return f
}

// leave forgets a folder that could not be listed, such as one that is not
// there.
func (t *tokens) leave(dir string, f *tokenFolder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.users--; f.users == 0 && !f.kept && t.folders[dir] == f {
		delete(t.folders, dir)
	}
}

// keep enters a folder that was listed, and lets go of those used least lately
// when there are too many.
func (t *tokens) keep(dir string, f *tokenFolder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.folders[dir]; ok {
		t.names -= old.size
	}
	f.kept, f.used, f.size = true, time.Now(), len(f.entries)
	t.folders[dir] = f
	t.names += f.size
	for (t.names > indexedNames || len(t.folders) > indexedFolders) && len(t.folders) > 1 {
		t.evict(dir)
	}
}

// evict drops the folder used least lately, but not the one named.
func (t *tokens) evict(but string) {
	var last string
	for dir, f := range t.folders {
		if dir != but && (last == "" || f.used.Before(t.folders[last].used)) {
			last = dir
		}
	}
	t.names -= t.folders[last].size
	delete(t.folders, last)
}

// tokenFolder is the index of one folder.
type tokenFolder struct {
	used  time.Time // guarded by tokens.mu, and so are the next three
	size  int
	users int  // who look for a name in it
	kept  bool // it was listed

	listing sync.Mutex   // held while the folder is listed: others wait for it
	names   [][]byte     // of the files, a zero byte behind each, in chunks: as one it would be copied while it grows
	entries []tokenEntry // in the order of their ids
	changed time.Time    // the folder's own time, when it was listed
	listed  time.Time
}

// tokenEntry is one file: as little of it as finds it, for there may be many.
type tokenEntry struct {
	id uint64 // the first bytes of its [pathID]
	at uint32 // in names: the chunk, and the place in it
}

func shortID(id pathID) uint64 { return binary.BigEndian.Uint64(id[:]) }

func byID(a, b tokenEntry) int { return cmp.Compare(a.id, b.id) }

// find returns the path of the file in folder dir that has one of the ids.
func (f *tokenFolder) find(dir string, ids []pathID) (string, bool) {
	for _, id := range ids {
		i, _ := slices.BinarySearchFunc(f.entries, tokenEntry{id: shortID(id)}, byID)
		for ; i < len(f.entries) && f.entries[i].id == shortID(id); i++ {
			at := f.entries[i].at
			name, _, _ := bytes.Cut(f.names[at/nameChunk][at%nameChunk:], []byte{0})
			if whole := path.Join(dir, string(name)); link.PathID(whole) == id {
				return whole, true
			}
		}
	}
	return "", false
}

// list reads the folder again when it has changed since, or was changing then.
// It reports whether it did.
func (f *tokenFolder) list(t *root, dir string) bool {
	now := time.Now()
	if now.Sub(f.listed) < relistAfter {
		return false
	}
	file, err := t.folder(dir)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil || !info.IsDir() || info.ModTime().Equal(f.changed) && f.listed.Sub(f.changed) > relistAfter {
		return false
	}
	names, entries := [][]byte{make([]byte, 0, nameChunk)}, make([]tokenEntry, 0, len(f.entries))
	whole := []byte(strings.TrimSuffix(path.Join(dir, "x"), "x")) // and then a name, in the same place for all of them
	for prefix := len(whole); err == nil; {
		var some []string
		some, err = file.Readdirnames(namesAtATime)
		for _, name := range some {
			if len(entries) == cap(entries) {
				entries = slices.Grow(entries, len(entries)+namesAtATime)
			}
			last := len(names) - 1
			if len(names[last])+len(name) >= nameChunk {
				names, last = append(names, make([]byte, 0, nameChunk)), last+1
			}
			whole = append(whole[:prefix], name...)
			entries = append(entries, tokenEntry{shortID(link.PathID(whole)), uint32(last*nameChunk + len(names[last]))})
			names[last] = append(append(names[last], name...), 0)
		}
	}
	if !errors.Is(err, io.EOF) {
		return false
	}
	slices.SortFunc(entries, byID)
	f.names, f.entries, f.changed, f.listed = names, entries, info.ModTime(), now
	return true
}
