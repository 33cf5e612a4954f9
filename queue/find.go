package queue

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
)

// mostFound is up to how many letters are got one by one. More are read faster
// all together.
const mostFound = 2000

// find looks through the block files, a hundred thousand letters in some tens of
// milliseconds; through JetStream that takes a second or two. JetStream has the
// last word on each: what a file has may be deleted.
func (b *embedded) find(ctx context.Context, eng *engine, f Filter) ([]uint64, bool) {
	s, err := eng.stream(ctx, dead)
	if err != nil {
		return nil, false
	}
	state := s.CachedInfo().State
	if state.Msgs == 0 {
		return nil, true
	}
	seqs, last, err := findInBlocks(b.q.folder.stream(dead, "msgs"), f)
	return seqs, err == nil && last >= state.LastSeq && len(seqs) <= mostFound
}

// findInBlocks returns the sequences of the records that have the call or the id
// of a filter, and the last sequence of the last file: one that is lower than
// what JetStream has says that the files do not look as expected.
func findInBlocks(dir string, f Filter) (seqs []uint64, last uint64, err error) {
	blocks, err := listBlocks(dir)
	if err != nil {
		return nil, 0, err
	}
	needle := f.headerLine()
	var data bytes.Buffer // for one file after the other
	for i, block := range blocks {
		if err := readInto(&data, blockPath(dir, block)); err != nil {
			return nil, 0, err
		}
		isLast := i == len(blocks)-1
		if !isLast && !bytes.Contains(data.Bytes(), needle) {
			continue
		}
		scanBlock(data.Bytes(), func(r *blockRecord) {
			if isLast {
				last = max(last, r.seq)
			}
			if !r.deleted && (f.Call == "" || r.headers.Get(headCall) == f.Call) && (f.ID == "" || r.headers.Get(headID) == f.ID) {
				seqs = append(seqs, r.seq)
			}
		})
	}
	return seqs, last, nil
}

// headerLine is how a header that the filter asks for is written.
func (f Filter) headerLine() []byte {
	if f.Call != "" {
		return []byte(headCall + ": " + f.Call + "\r\n")
	}
	return []byte(headID + ": " + f.ID + "\r\n")
}

// readInto reads a file in place of what is in data. One that was removed
// meanwhile is empty.
func readInto(data *bytes.Buffer, path string) error {
	data.Reset()
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = data.ReadFrom(file)
	return err
}
