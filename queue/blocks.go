package queue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"time"
)

// blockRecord is one record of a block file, as JetStream wrote it.
type blockRecord struct {
	seq     uint64
	at      int64 // when it was stored, in Unix nanoseconds
	deleted bool  // it says that the record of this sequence is deleted
	subject []byte
	headers rawHeaders
	body    []byte
}

// rawHeaders are the headers of a record, as they are written.
type rawHeaders []rawHeader

type rawHeader struct{ key, value []byte }

// Get returns the value of a header, or nothing.
func (h rawHeaders) Get(key string) string {
	for i := range h {
		if string(h[i].key) == key {
			return string(h[i].value)
		}
	}
	return ""
}

// split appends the headers in data to h.
func (h rawHeaders) split(data []byte) rawHeaders {
	for len(data) > 0 {
		var line []byte
		if end := bytes.IndexByte(data, '\n'); end >= 0 {
			line, data = data[:end], data[end+1:]
		} else {
			line, data = data, nil
		}
		if colon := bytes.IndexByte(line, ':'); colon > 0 {
			h = append(h, rawHeader{line[:colon], bytes.TrimSpace(line[colon+1:])})
		}
	}
	return h
}

// The record of a block file: length, sequence, time, length of the subject,
// subject, length of the headers when the length has the top bit set, headers,
// body, checksum.
const (
	recordFixed    = 4 + 8 + 8 + 2
	recordChecksum = 8
	hasHeaders     = 1 << 31
	isTombstone    = 1 << 63
	isErased       = 1 << 62
)

// scanBlocks passes the records of the files that were changed since a time to
// visit.
func scanBlocks(dir string, since time.Time, visit func(*blockRecord)) error {
	blocks, err := listBlocks(dir)
	if err != nil {
		return err
	}
	var buf bytes.Buffer // for all of them, or reading a large queue would leave much memory behind
	for _, block := range blocks {
		buf.Reset()
		if err := readSince(&buf, blockPath(dir, block), since); err != nil {
			return err
		}
		scanBlock(buf.Bytes(), visit)
	}
	return nil
}

// readSince reads a file that was changed since a time; another one is empty.
func readSince(buf *bytes.Buffer, path string, since time.Time) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // purged meanwhile
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.ModTime().Before(since) {
		return err
	}
	buf.Grow(int(info.Size()) + bytes.MinRead)
	_, err = buf.ReadFrom(file)
	return err
}

// scanBlock reads the records of one file, which visit must not keep.
func scanBlock(data []byte, visit func(*blockRecord)) {
	var r blockRecord
	for len(data) >= recordFixed+recordChecksum {
		length := int(binary.LittleEndian.Uint32(data) &^ hasHeaders)
		if length < recordFixed+recordChecksum || length > len(data) {
			return
		}
		if r.read(data[:length-recordChecksum]) {
			visit(&r)
		}
		data = data[length:]
	}
}

// read takes up one record and reports whether it makes sense. One that was
// erased counts as deleted.
func (r *blockRecord) read(data []byte) bool {
	le := binary.LittleEndian
	seq, subject, rest := le.Uint64(data[4:]), int(le.Uint16(data[20:])), data[recordFixed:]
	r.seq, r.deleted, r.at = seq&^(isTombstone|isErased), seq&(isTombstone|isErased) != 0, int64(le.Uint64(data[12:]))
	r.headers = r.headers[:0]
	if r.deleted {
		return true
	}
	if len(rest) < subject {
		return false
	}
	r.subject, r.body = rest[:subject], rest[subject:]
	if le.Uint32(data)&hasHeaders == 0 {
		return true
	}
	if len(r.body) < 4 {
		return false
	}
	headers := int(le.Uint32(r.body))
	if r.body = r.body[4:]; headers > len(r.body) {
		return false
	}
	r.headers, r.body = r.headers.split(r.body[:headers]), r.body[headers:]
	return true
}
