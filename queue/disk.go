package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// disk makes durable what JetStream has written to one stream. JetStream
// itself would sync after every record, or once for an atomic batch after
// staging it in a store of its own; one fdatasync for all records of a commit
// is several times cheaper than either, and is what a commit waits for.
//
// It relies on this: JetStream has passed a record to the kernel before it
// acknowledges it, and appends to the block file with the highest number. Each
// sync checks that, by the growth of the files: were it ever not so, nothing
// would be acknowledged. It is not safe for concurrent use.
type disk struct {
	dir   string // of the block files
	block int    // number of the file that was written last
	size  int64  // of that file when it was synced
}

// errNotWritten means that acknowledged records are not where they should be.
var errNotWritten = errors.New("acknowledged records are not in the block files")

func newDisk(f *folder, stream string) *disk {
	return &disk{dir: f.stream(stream, "msgs")}
}

// syncNew makes durable what was written since the last call. It returns an
// error also when there is nothing.
func (d *disk) syncNew() error {
	block, err := d.start()
	grown := false
	for ; err == nil; block++ {
		var size int64
		if size, err = d.syncBlock(block); err == nil {
			grown = grown || block != d.block || size != d.size
			d.block, d.size = block, size
		}
	}
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case !grown:
		return errNotWritten
	}
	return nil
}

// start is the block that was written last, or the first there is when that
// one was purged.
func (d *disk) start() (int, error) {
	if d.block > 0 {
		if _, err := os.Stat(blockPath(d.dir, d.block)); err == nil {
			return d.block, nil
		}
	}
	d.block, d.size = 0, 0
	return d.firstBlock()
}

// syncBlock syncs one file, and for a new one its name.
func (d *disk) syncBlock(block int) (int64, error) {
	file, err := os.OpenFile(blockPath(d.dir, block), os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if err := unix.Fdatasync(int(file.Fd())); err != nil {
		return 0, fmt.Errorf("sync %s: %w", file.Name(), err)
	}
	if block != d.block {
		if err := syncDir(d.dir); err != nil {
			return 0, err
		}
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// firstBlock finds the lowest number there is.
func (d *disk) firstBlock() (int, error) {
	blocks, err := listBlocks(d.dir)
	if err != nil {
		return 0, err
	}
	if len(blocks) == 0 {
		return 0, errNotWritten
	}
	return blocks[0], nil
}

// listBlocks returns the numbers of the block files, ascending.
func listBlocks(dir string) ([]int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var blocks []int
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".blk")); err == nil {
			blocks = append(blocks, n)
		}
	}
	slices.Sort(blocks)
	return blocks, nil
}

func blockPath(dir string, block int) string {
	return filepath.Join(dir, strconv.Itoa(block)+".blk")
}

// syncTree makes everything below a folder durable, names included: what a
// killed process had written, and what JetStream has rearranged.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		if !e.IsDir() && !e.Type().IsRegular() {
			return nil
		}
		if err := syncDir(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sync %s: %w", path, err)
		}
		return nil
	})
}
