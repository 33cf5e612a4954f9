package recordings

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"callrelay/config"
	"callrelay/relay/recordings/link"
	"callrelay/relay/recordings/wav"
)

// errNoSlice is the error of a slice that cannot be cut: the audio is no WAV,
// unfinished, of a codec without blocks, or ends before the slice starts.
var errNoSlice = errors.New("slice cannot be cut")

// A content is what a link opens: a part of a file, with what the relay puts
// around it. It is read by one goroutine at a time.
type content struct {
	file  *os.File
	head  []byte // before the part
	at, n int64  // the part
	tail  []byte // behind it

	pos int64
}

// waveOf reads the header of an open file, or takes the one that raw says
// headerless files lack.
func waveOf(name string, file io.ReaderAt, size int64, raw *config.Raw) (wav.Info, error) {
	if raw == nil || !isRaw(name) {
		return wav.Read(file, size)
	}
	w := wav.Raw(raw.Rate, raw.Channels, size)
	if w.DataSize == 0 {
		return wav.Info{}, wav.ErrUnfinished
	}
	return w, nil
}

// partContent is the file, or a slice of it.
func partContent(file *os.File, info fs.FileInfo, w wav.Info, s link.Slice) (*content, error) {
	if s.Whole() {
		return wholeContent(file, info, w), nil
	}
	return sliceContent(file, w, s)
}

// wholeContent is the file as it is, or with the header it lacks.
func wholeContent(file *os.File, info fs.FileInfo, w wav.Info) *content {
	if w.Headless() {
		return &content{file: file, head: w.HeaderFor(w.DataSize), n: w.DataSize}
	}
	return &content{file: file, n: info.Size()}
}

// sliceContent is a WAV of its own, made of the blocks between two moments.
func sliceContent(file *os.File, w wav.Info, s link.Slice) (*content, error) {
	if !w.Cuttable() {
		return nil, errNoSlice
	}
	blocks := w.DataSize / int64(w.Block)
	start, end := w.BlockAt(s.Start, blocks), blocks
	if s.End != 0 {
		end = w.BlockAt(s.End, blocks)
	}
	if start >= end {
		return nil, errNoSlice
	}
	c := &content{file: file, at: w.DataAt + start*int64(w.Block), n: (end - start) * int64(w.Block)}
	c.head = w.HeaderFor(c.n)
	c.tail = make([]byte, c.n&1)
	return c, nil
}

func (c *content) size() int64 { return int64(len(c.head)) + c.n + int64(len(c.tail)) }

// Read implements [io.Reader].
func (c *content) Read(b []byte) (int, error) {
	if part := c.made(); part != nil {
		n := copy(b, part)
		c.pos += int64(n)
		return n, nil
	}
	off := c.pos - int64(len(c.head))
	if off >= c.n {
		return 0, io.EOF
	}
	n, err := c.file.ReadAt(b[:min(int64(len(b)), c.n-off)], c.at+off)
	c.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

// made is what lies at the position of the bytes that are not the file's.
func (c *content) made() []byte {
	if c.pos < int64(len(c.head)) {
		return c.head[c.pos:]
	}
	if off := c.pos - int64(len(c.head)) - c.n; off >= 0 && off < int64(len(c.tail)) {
		return c.tail[off:]
	}
	return nil
}

// Seek implements [io.Seeker].
func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.pos
	case io.SeekEnd:
		offset += c.size()
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	c.pos = offset
	return offset, nil
}

// copyTo writes the next n bytes. The file's own are handed to the writer as
// a file, so that a connection takes them from the kernel without a copy.
func (c *content) copyTo(w io.Writer, n int64) (int64, error) {
	var done int64
	for done < n {
		k, err := c.copyPart(w, n-done)
		done += k
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (c *content) copyPart(w io.Writer, n int64) (int64, error) {
	if part := c.made(); part != nil {
		k, err := w.Write(part[:min(int64(len(part)), n)])
		c.pos += int64(k)
		return int64(k), err
	}
	off := c.pos - int64(len(c.head))
	if off >= c.n {
		return 0, io.ErrUnexpectedEOF
	}
	if _, err := c.file.Seek(c.at+off, io.SeekStart); err != nil {
		return 0, err
	}
	k, err := io.CopyN(w, c.file, min(n, c.n-off))
	c.pos += k
	return k, err
}
