package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// undo keeps second names of a stream's block files while JetStream deletes
// from it. Deleting makes JetStream write some blocks anew and put them in the
// place of the old ones without syncing them; should the power fail before they
// are synced, some filesystems have an empty file there, and with it the
// records that were not to be deleted. The next start puts the old files back.
type undo struct {
	blocks string // the folder of the block files
	kept   string // the folder of their second names
}

func (f *folder) undo(stream string) undo {
	return undo{blocks: filepath.Join(f.stream(stream), "msgs"), kept: f.path("undo", stream)}
}

// keep gives every block its second name. On a filesystem without links there
// is none, and the moment remains.
func (u undo) keep() error {
	blocks, err := filepath.Glob(filepath.Join(u.blocks, "*.blk"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(u.kept, 0o700); err != nil {
		return fmt.Errorf("keep blocks: %w", err)
	}
	for _, path := range blocks {
		err := os.Link(path, filepath.Join(u.kept, filepath.Base(path)))
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist): // purged meanwhile
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EMLINK):
			return u.forget()
		default: // a later start must not put back what was kept now
			return errors.Join(fmt.Errorf("keep blocks: %w", err), u.forget())
		}
	}
	return errors.Join(syncDir(u.kept), syncDir(filepath.Dir(u.kept)))
}

// forget drops the second names: the blocks are on disk as they are.
func (u undo) forget() error {
	if err := os.RemoveAll(u.kept); err != nil {
		return fmt.Errorf("forget kept blocks: %w", err)
	}
	return syncDir(filepath.Dir(u.kept))
}

// restore puts back the blocks of a deletion that was cut short, before the
// server starts. Records that it had deleted may be there again; they are
// finished all the same, or the deletion was not reported as done.
func (u undo) restore() error {
	kept, err := filepath.Glob(filepath.Join(u.kept, "*.blk"))
	if err != nil || len(kept) == 0 {
		return err
	}
	if _, err := os.Stat(u.blocks); errors.Is(err, fs.ErrNotExist) {
		return u.forget() // the stream itself is gone
	}
	for _, path := range kept {
		if err := os.Rename(path, filepath.Join(u.blocks, filepath.Base(path))); err != nil {
			return fmt.Errorf("restore blocks: %w", err)
		}
	}
	// The index tells of the blocks as they were; without it they are read.
	if err := os.Remove(filepath.Join(u.blocks, "index.db")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("restore blocks: %w", err)
	}
	return errors.Join(syncDir(u.blocks), u.forget())
}
