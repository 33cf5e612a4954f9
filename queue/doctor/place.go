package doctor

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/lane"
)

const (
	slowSync    = 20 * time.Millisecond // a disk that takes longer slows every acknowledgement
	syncSamples = 9
	fewInodes   = 1000
)

// place looks at the folder, the disk below it and the clock. It returns whether
// the folder can be looked into.
func (x *exam) place(f *engine.Folder) bool {
	x.permissions(f)
	if len(x.o.Servers) > 0 && !x.o.Spool { // it holds the relay's own state alone
		x.clock()
		return x.format(f)
	}
	x.filesystem(f)
	x.space(f)
	x.syncing(f)
	x.clock()
	return x.format(f)
}

func (x *exam) permissions(f *engine.Folder) {
	info, err := os.Stat(f.Dir)
	if err != nil {
		x.fault("folder", "make it readable to the relay's user", "%v", err)
		return
	}
	if mode := info.Mode().Perm(); mode != 0o700 {
		x.doubt("folder", "chmod 700 "+f.Dir, "%s has mode %o: others may read events", f.Dir, mode)
		return
	}
	x.well("folder", "%s, for its owner alone", f.Dir)
}

func (x *exam) format(f *engine.Folder) bool {
	data, err := os.ReadFile(f.Path("format"))
	text := strings.TrimSpace(string(data))
	found, notNumber := strconv.Atoi(text)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.doubt("format", "relay run makes a new queue in it; is queue.dir the right one?", "the folder holds no queue")
		return false
	case err != nil || notNumber != nil:
		x.fault("format", "restore the folder from a backup", "the format number cannot be read: %q", text)
		return false
	case found > engine.FormatVersion:
		x.fault("format", "run the relay that wrote it, or a newer one", "%d is newer than this relay knows (%d)", found, engine.FormatVersion)
		return false
	}
	if _, err := os.Stat(f.Path(engine.Restoring)); err == nil {
		x.fault("format", "empty the folder and restore again", "a restore into it was not finished")
		return false
	}
	x.well("format", "%d", found)
	return true
}

// filesystems are those that a queue should not lie on.
var filesystems = map[int64]struct {
	name  string
	level Level
}{
	unix.TMPFS_MAGIC:           {"tmpfs: memory, which a power cut empties", Faulty},
	unix.RAMFS_MAGIC:           {"ramfs: memory, which a power cut empties", Faulty},
	unix.OVERLAYFS_SUPER_MAGIC: {"the layer of a container, which goes with it", Doubtful},
	unix.NFS_SUPER_MAGIC:       {"NFS: locks and syncs depend on the server", Doubtful},
	unix.SMB_SUPER_MAGIC:       {"SMB: locks and syncs depend on the server", Doubtful},
	unix.V9FS_MAGIC:            {"9p: locks and syncs depend on the host", Doubtful},
}

func (x *exam) filesystem(f *engine.Folder) {
	var s unix.Statfs_t
	if err := unix.Statfs(f.Dir, &s); err != nil {
		x.fault("disk", "", "%v", err)
		return
	}
	bad, known := filesystems[int64(s.Type)]
	if !known {
		return
	}
	x.list = append(x.list, Finding{bad.level, "disk", "the folder lies on " + bad.name, "put queue.dir on a disk of this machine"})
}

// space compares what is free with what the queue may grow to.
func (x *exam) space(f *engine.Folder) {
	var s unix.Statfs_t
	if err := unix.Statfs(f.Dir, &s); err != nil {
		return // told above
	}
	block := int64(s.Bsize)
	free, reserve := int64(s.Bavail)*block, journal.ReserveOf(&s)
	held := treeSize(f.Path("jetstream"))
	wanted := x.o.MaxBytes + x.o.DeadMaxBytes - held
	switch {
	case free <= reserve:
		x.fault("space", "free some space, or move queue.dir: intake refuses events", "%s free, and %s is kept in reserve", sizeText(free), sizeText(reserve))
	case s.Files > 0 && s.Ffree < fewInodes:
		x.fault("space", "remove files: JetStream cannot make any", "%d inodes free", s.Ffree)
	case free-reserve < wanted:
		x.doubt("space", "lower queue.max_bytes or queue.dead_max_bytes, or give it more disk",
			"%s free: the disk is full before the queue is at its limits, which takes %s more", sizeText(free), sizeText(wanted))
	default:
		x.well("space", "%s free, the queue holds %s", sizeText(free), sizeText(held))
	}
}

// treeSize is what the files below a folder take.
func treeSize(dir string) int64 {
	var total int64
	_ = fs.WalkDir(os.DirFS(dir), ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // files come and go
		}
		if info, err := d.Info(); err == nil && d.Type().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}

// syncing measures what each acknowledgement waits for.
func (x *exam) syncing(f *engine.Folder) {
	path := f.Path("probe-doctor")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		x.fault("sync", "make it writable to the relay's user", "the folder cannot be written: %v", err)
		return
	}
	defer func() { _ = os.Remove(path) }()
	defer file.Close()
	var took []time.Duration
	for range syncSamples {
		start := time.Now()
		if _, err = file.Write(make([]byte, 4096)); err == nil {
			err = unix.Fdatasync(int(file.Fd()))
		}
		if err != nil {
			x.fault("sync", "look at the kernel's log for what the disk says", "the folder cannot be written: %v", err)
			return
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	median := took[len(took)/2].Round(10 * time.Microsecond)
	if median > slowSync {
		x.doubt("sync", "put queue.dir on a faster disk: every acknowledgement waits for this", "4 KiB are on disk after %s", median)
		return
	}
	x.well("sync", "4 KiB are on disk after %s", median)
}

// clock asks the kernel whether something keeps the clock right.
func (x *exam) clock() {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err == nil && state == unix.TIME_ERROR {
		x.doubt("clock", "have chrony or systemd-timesyncd keep it: links, signatures, retries and max_age go by it", "nothing keeps it right")
		return
	}
	x.well("clock", "%s", time.Now().UTC().Format(time.RFC3339))
}

// floorFiles looks at both slots of the floors and returns the newer one.
func (x *exam) floorFiles(f *engine.Folder) lane.Floors {
	newest, generation, whole, written := lane.Floors{Lanes: map[string]lane.Progress{}}, uint64(0), 0, false
	for _, name := range [...]string{"floors.0", "floors.1"} {
		data, err := os.ReadFile(f.Path(name))
		if err != nil || len(data) == 0 {
			continue // never written
		}
		written = true
		g, fl, err := lane.DecodeFloors(data)
		if err != nil {
			x.doubt("floors", "", "%s is torn, as by a crash while it was written: the other one holds", name)
			continue
		}
		whole++
		if g > generation {
			newest, generation = fl, g
		}
	}
	switch {
	case whole > 0:
		x.well("floors", "of %s, saved %s", many(len(newest.Lanes), "service"), many(int(generation), "time"))
	case written:
		x.fault("floors", "restore floors.0 from a backup, or let all be delivered again", "none is whole: what was delivered and is kept for replay would be delivered again")
	default:
		x.well("floors", "none yet")
	}
	return newest
}
