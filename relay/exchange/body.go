package exchange

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// A File is what a body carries without holding it in memory. It stays what it
// was when it was opened, or ends the attempt. One attempt reads it at a time.
type File interface {
	io.ReaderAt
	Size() int64
	// Check returns why the file is not what it was any more; nil: it is.
	Check() error
}

// An Insert is a file within a body.
type Insert struct {
	At   int // in [Attempt.Body]: the file stands before that byte
	File File
	Text string // stands for it where the body is shown
}

// FileError is why an attempt ended that is no fault of the endpoint: a file of
// its body could not be read, or changed while it was sent.
type FileError struct{ Err error }

func (e *FileError) Error() string { return "recording: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// lastPiece is how much of a file is held back in memory until it is known that
// the file has not changed: a body that is not whole never looks so.
const lastPiece = 64 << 10

// filePiece is how much of a file is sent between two looks at it.
const filePiece = 4 << 20

// Close closes the files of the body, when the attempt is over.
func (a *Attempt) Close() {
	for _, in := range a.Files {
		_ = closeFile(in.File) // it was read, and may stand there twice
	}
}

// Length is that of the whole body, in bytes.
func (a *Attempt) Length() int64 {
	n := int64(len(a.Body))
	for _, in := range a.Files {
		n += in.File.Size()
	}
	return n
}

// each hands over the body in its order: some bytes and the file behind them,
// which is nil at the end.
func (a *Attempt) each(take func(text []byte, f File) error) error {
	at := 0
	for _, in := range a.Files {
		if err := take(a.Body[at:in.At], in.File); err != nil {
			return err
		}
		at = in.At
	}
	return take(a.Body[at:], nil)
}

// CopyBody writes the whole body, such as to a hash. The error is a [*FileError]
// unless it is the writer's.
func (a *Attempt) CopyBody(w io.Writer) error {
	return a.each(func(text []byte, f File) error {
		if _, err := w.Write(text); err != nil || f == nil {
			return err
		}
		n, err := io.CopyN(w, io.NewSectionReader(f, 0, f.Size()), f.Size())
		return blame(f, n, err)
	})
}

// Shown is the body as text in which each file is what stands for it.
func Shown(body []byte, files []Insert) string {
	a, text := Attempt{Body: body, Files: files}, ""
	_ = a.each(func(part []byte, _ File) error { // it has none of its own
		if text += string(part); len(files) > 0 {
			text, files = text+files[0].Text, files[1:]
		}
		return nil
	})
	return text
}

// check looks at all files of the body.
func (a *Attempt) check() error {
	for _, in := range a.Files {
		if err := in.File.Check(); err != nil {
			return &FileError{err}
		}
	}
	return nil
}

// blame returns the error that ended a copy of a file at an offset, and as a
// [*FileError] where it is the file's.
func blame(f File, at int64, err error) error {
	if err == nil && at == f.Size() {
		return nil
	}
	if changed := f.Check(); changed != nil {
		return &FileError{changed}
	}
	var one [1]byte
	if _, unread := f.ReadAt(one[:], min(at, f.Size()-1)); unread != nil {
		return &FileError{unread}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &FileError{fmt.Errorf("ends at byte %d", at)}
	}
	return err
}

// newPace limits uploads to so many bytes a second; nil: it does not.
func newPace(perSecond int64) *rate.Limiter {
	if perSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), int(min(max(perSecond/8, 512), filePiece)))
}

// paced is how many of n bytes go out at once.
func paced(p *rate.Limiter, n int64) int64 {
	if p != nil {
		n = min(n, int64(p.Burst()))
	}
	return min(n, filePiece)
}

// wait has the pace allow n bytes.
func wait(ctx context.Context, pace *rate.Limiter, n int64) error {
	if pace == nil {
		return nil
	}
	return pace.WaitN(ctx, int(n))
}

// bodyReader is a body with files as net/http reads it, which may be in vain
// and still go on when the exchange is over.
type bodyReader struct {
	ctx   context.Context
	from  io.Reader
	a     *Attempt
	left  int64
	pace  *rate.Limiter
	sent  *atomic.Int64
	fault *atomic.Pointer[FileError] // why the body could not be read
}

func (r *bodyReader) rewind() {
	var parts []io.Reader
	_ = r.a.each(func(text []byte, f File) error { // no part has an error yet
		if parts = append(parts, bytes.NewReader(text)); f != nil {
			parts = append(parts, io.NewSectionReader(f, 0, f.Size()))
		}
		return nil
	})
	r.from, r.left = io.MultiReader(parts...), r.a.Length()
}

// Read implements [io.Reader]. The end of the body is given out only while the
// files are what they were.
func (r *bodyReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.from.Read(p[:min(paced(r.pace, r.left), int64(len(p)))])
	if changed := r.a.check(); changed != nil || n == 0 && err != nil {
		fault, ok := errors.AsType[*FileError](cmp.Or(changed, err))
		if !ok {
			fault = &FileError{err}
		}
		r.fault.Store(fault)
		return 0, fault
	}
	r.left -= int64(n)
	r.sent.Add(int64(n))
	return n, wait(r.ctx, r.pace, int64(n))
}

// Close implements [io.Closer].
func (r *bodyReader) Close() error { return nil }
