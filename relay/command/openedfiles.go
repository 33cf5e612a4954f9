package command

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// heldFiles is a folder whose files were opened in advance, so that they can be
// read by whom the process becomes.
type heldFiles map[string]*os.File

// holdFiles opens every file below dir. There must be few.
func holdFiles(dir string) (heldFiles, error) {
	held := heldFiles{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err == nil {
			held[filepath.ToSlash(name)] = file
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, held.close())
	}
	return held, nil
}

func (h heldFiles) close() error {
	var errs []error
	for _, file := range h {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// Open implements [fs.FS]. Each file is read from its beginning.
func (h heldFiles) Open(name string) (fs.File, error) {
	file, ok := h[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return heldFile{io.NewSectionReader(file, 0, info.Size()), info}, nil
}

// heldFile is one reader of a file; the file stays open for others.
type heldFile struct {
	*io.SectionReader
	info fs.FileInfo
}

func (f heldFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (heldFile) Close() error                 { return nil }
