package recordings

import (
	"errors"
	"io"
	"path"
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
)

// A pathID is what a token decrypts to, see [render.PathID].
type pathID = [16]byte

// tokens finds the files that anonymous links mean. A token does not hold the
// file's name, so the names of its folder are listed and indexed, anew when
// the folder has changed; what was linked lately is known without. All of it
// can be made again from the folder, so nothing is stored. Safe for concurrent
// use.
type tokens struct {
	tree   *tree
	recent *cache[pathID, string]

	mu      sync.Mutex
	folders map[string]*tokenFolder
	names   int // in all folders
}

func newTokens(t *tree) *tokens {
	return &tokens{tree: t, recent: newCache[pathID, string](recentPaths), folders: map[string]*tokenFolder{}}
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
	f.listing.Lock()
	defer f.listing.Unlock()
	if name, ok := f.find(ids); ok {
		return path.Join(dir, name), true
	}
	if !f.list(t.tree, dir) {
		return "", false
	}
	t.keep(dir, f)
	name, ok := f.find(ids)
	return path.Join(dir, name), ok
}

// folder returns the index of a folder, an empty one where there is none yet.
func (t *tokens) folder(dir string) *tokenFolder {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.folders[dir]
	if !ok {
		return &tokenFolder{}
	}
	f.used = time.Now()
	return f
}

// keep enters a folder that was listed, and lets go of those used least lately
// when there are too many.
func (t *tokens) keep(dir string, f *tokenFolder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.folders[dir]; ok {
		t.names -= old.size
	}
	f.used, f.size = time.Now(), len(f.names)
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
	used time.Time // guarded by tokens.mu, and so is size
	size int

	listing sync.Mutex // held while the folder is listed: others wait for it
	names   map[pathID]string
	changed time.Time // the folder's own time, when it was listed
	listed  time.Time
}

func (f *tokenFolder) find(ids []pathID) (string, bool) {
	for _, id := range ids {
		if name, ok := f.names[id]; ok {
			return name, true
		}
	}
	return "", false
}

// list reads the folder again when it has changed since, or was changing then.
// It reports whether it did.
func (f *tokenFolder) list(t *tree, dir string) bool {
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
	names := make(map[pathID]string, len(f.names))
	for err == nil {
		var some []string
		some, err = file.Readdirnames(namesAtATime)
		for _, name := range some {
			names[link.PathID(path.Join(dir, name))] = name
		}
	}
	if !errors.Is(err, io.EOF) {
		return false
	}
	f.names, f.changed, f.listed = names, info.ModTime(), now
	return true
}
