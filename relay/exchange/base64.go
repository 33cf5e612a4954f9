package exchange

import (
	"encoding/base64"
	"io"
)

// Base64 returns a file as text in base64, made as it is read.
func Base64(f File) File { return encoded{f} }

type encoded struct{ File }

// Size implements [File].
func (e encoded) Size() int64 { return (e.File.Size() + 2) / 3 * 4 }

// ReadAt implements [io.ReaderAt].
func (e encoded) ReadAt(p []byte, at int64) (int, error) {
	from := at / 4
	groups := (at+int64(len(p))+3)/4 - from
	raw := make([]byte, max(min(groups*3, e.File.Size()-from*3), 0))
	if n, err := e.File.ReadAt(raw, from*3); n < len(raw) {
		return 0, err
	}
	text := make([]byte, base64.StdEncoding.EncodedLen(len(raw)))
	base64.StdEncoding.Encode(text, raw)
	n := copy(p, text[min(at-from*4, int64(len(text))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close implements [io.Closer].
func (e encoded) Close() error { return closeFile(e.File) }

func closeFile(f File) error {
	if c, ok := f.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
