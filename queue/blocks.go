package queue

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// recentIDs finds the ids that were stored within the window. It reads them
// from JetStream's block files, a million in about half a second; through
// JetStream that would take ten.
func (e *engine) recentIDs(ctx context.Context, dir string, window time.Duration) (*recent, error) {
	s, err := e.js.Stream(ctx, events)
	if err != nil {
		return nil, err
	}
	since := time.Now().Add(-window)
	if state := s.CachedInfo().State; state.Msgs > 0 && state.LastTime.After(since) {
		ids := newRecent(window)
		last, err := scanBlocks(dir, since, func(id []byte, at time.Time) { ids.add(ids.hash(string(id)), at) })
		if err == nil && last == state.LastSeq {
			return ids, nil
		}
	}
	return e.readIDs(ctx, since, window)
}

// readIDs does the same through JetStream, which knows best should its files
// not look as expected.
func (e *engine) readIDs(ctx context.Context, since time.Time, window time.Duration) (*recent, error) {
	ids := newRecent(window)
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since, HeadersOnly: true}
	return ids, e.read(ctx, events, cfg, func(m *nats.Msg, at place) bool {
		ids.add(ids.hash(m.Header.Get(headMsgID)), at.at)
		return true
	})
}

// The record of a block file: length, sequence, time, length of the subject,
// subject, length of the headers when the length has the top bit set, headers,
// body, checksum.
const (
	recordFixed    = 4 + 8 + 8 + 2
	recordChecksum = 8
	hasHeaders     = 1 << 31
	isTombstone    = 1 << 63
)

// scanBlocks passes the ids that were stored since a time to visit, and returns
// the highest sequence of the files.
func scanBlocks(dir string, since time.Time, visit func(id []byte, at time.Time)) (uint64, error) {
	blocks, err := listBlocks(dir)
	if err != nil {
		return 0, err
	}
	var last uint64
	for _, block := range blocks {
		data, err := readSince(blockPath(dir, block), since)
		if err != nil {
			return 0, err
		}
		last = max(last, scanBlock(data, since, visit))
	}
	return last, nil
}

// readSince reads a file that was changed since a time; another one is empty.
func readSince(path string, since time.Time) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.ModTime().Before(since) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// scanBlock reads the records of one file.
func scanBlock(data []byte, since time.Time, visit func(id []byte, at time.Time)) (last uint64) {
	le := binary.LittleEndian
	for len(data) >= recordFixed+recordChecksum {
		length := int(le.Uint32(data) &^ hasHeaders)
		if length < recordFixed+recordChecksum || length > len(data) {
			break
		}
		record, withHeaders := data[:length-recordChecksum], le.Uint32(data)&hasHeaders != 0
		data = data[length:]
		seq, at := le.Uint64(record[4:]), time.Unix(0, int64(le.Uint64(record[12:])))
		if seq&isTombstone != 0 {
			continue
		}
		last = max(last, seq)
		rest := record[recordFixed:]
		subject := int(le.Uint16(record[20:]))
		if !withHeaders || at.Before(since) || len(rest) < subject+4 {
			continue
		}
		headers := int(le.Uint32(rest[subject:]))
		if rest = rest[subject+4:]; headers > len(rest) {
			continue
		}
		if _, id, found := bytes.Cut(rest[:headers], []byte(headMsgID+": ")); found {
			id, _, _ = bytes.Cut(id, []byte("\r"))
			visit(id, at)
		}
	}
	return last
}
