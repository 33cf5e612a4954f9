package recordings

import (
	"errors"
	"io"
	"path"
	"strings"
)

// An Upload is a recording, or the part of one, that was opened to be sent. It
// is to be closed. What it reads is only worth something while Check says so. Its
// sum, which a signature needs, is read once.
type Upload struct {
	*content
	File
}

var errChanged = errors.New("the file has changed")

// Open opens what was looked at, unless the file has changed since.
func (f File) Open() (*Upload, error) {
	if f.meta == nil {
		return nil, errChanged
	}
	file, info, err := f.meta.files.root.open(f.meta.name)
	if err != nil {
		return nil, err
	}
	c, err := partContent(file, info, f.meta.wave, f.slice)
	if err == nil && !f.meta.same(info) {
		err = errChanged
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Upload{c, f}, nil
}

// FileName is the name of the file as it is sent, "" unless it is ready: a
// headerless one is sent with a header.
func (f File) FileName() string {
	switch {
	case f.State != StateReady:
		return ""
	case isRaw(f.Name) && f.Type == waveType:
		return strings.TrimSuffix(path.Base(f.Name), path.Ext(f.Name)) + ".wav"
	}
	return path.Base(f.Name)
}

// Size is how many bytes there are to send.
func (u *Upload) Size() int64 { return u.size() }

// ReadAt implements [io.ReaderAt].
func (u *Upload) ReadAt(b []byte, at int64) (int, error) {
	c := *u.content
	c.pos = at
	n, err := io.ReadFull(&c, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// Check returns why the file is not what was opened any more; nil: it is.
func (u *Upload) Check() error {
	info, err := u.meta.files.root.stat(u.meta.name)
	if err == nil && !u.meta.same(info) {
		err = errChanged
	}
	return err
}

// Close closes the file.
func (u *Upload) Close() error { return u.file.Close() }
