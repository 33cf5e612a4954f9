package queue

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// survey is what the block files of EVENTS and RETRY say about the ids that were
// stored lately, and about what is parked. They are read while the server starts,
// which reads them too: through JetStream that would take ten times as long,
// and only begin behind the start. What does not agree with what JetStream then
// has is not used, and read through it.
type survey struct {
	reading sync.WaitGroup
	window  time.Duration
	newest  time.Time // when a record was stored last, as far as the files tell
	ids     *recent
	lastID  uint64 // the highest sequence of EVENTS that was read
	idsErr  error

	parked    []parkedRecord
	last      uint64 // the highest sequence of RETRY
	parkedErr error
}

// parkedRecord is a record of RETRY.
type parkedRecord struct {
	service string
	item    *parked
}

// beginSurvey starts reading.
func beginSurvey(f *folder, c *clock, window time.Duration) *survey {
	s := &survey{window: window}
	ids, parked := f.stream(events, "msgs"), f.stream(retry, "msgs")
	s.newest = newestChange(ids)
	s.reading.Go(func() { s.idsErr = s.readIDs(ids) })
	s.reading.Go(func() { s.parkedErr = s.readParked(parked, c) })
	return s
}

// newestChange is when the block that was written last was, or now when that is
// earlier. The window of ids ends there, so that it is right however the clock
// was set since.
func newestChange(dir string) time.Time {
	now := time.Now()
	blocks, err := listBlocks(dir)
	if err != nil || len(blocks) == 0 {
		return now
	}
	info, err := os.Stat(blockPath(dir, blocks[len(blocks)-1]))
	if err != nil || info.ModTime().After(now) {
		return now
	}
	return info.ModTime()
}

// since is when the window of ids begins.
func (s *survey) since() time.Time { return s.newest.Add(-s.window) }

// seenAt is when an id counts as seen by the clock that only goes forward, if
// it was stored at a time of the other one.
func (s *survey) seenAt(stored int64) time.Time {
	return time.Now().Add(-max(s.newest.Sub(time.Unix(0, stored)), 0))
}

// readIDs reads the ids, a million in about half a second.
func (s *survey) readIDs(dir string) error {
	ids, since := newRecent(s.window), s.since()
	err := scanBlocks(dir, since, func(r *blockRecord) {
		s.lastID = max(s.lastID, r.seq)
		if r.deleted || r.at < since.UnixNano() {
			return
		}
		if id := idOf(r.headers); id != "" {
			ids.add(ids.hash(id), s.seenAt(r.at))
		}
	})
	s.ids = ids
	return err
}

// recentIDs returns the ids that were stored within the window.
func (s *survey) recentIDs(ctx context.Context, eng *engine) (*recent, error) {
	s.reading.Wait()
	stream, err := eng.js.Stream(ctx, events)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	switch {
	case state.Msgs == 0 || state.LastTime.Before(s.since()):
		return newRecent(s.window), nil
	case s.idsErr == nil && s.lastID == state.LastSeq:
		return s.ids, nil
	}
	ids, since := newRecent(s.window), s.since()
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since, HeadersOnly: true}
	return ids, eng.read(ctx, events, cfg, func(m *nats.Msg, at place) bool {
		ids.add(ids.hash(idOf(m.Header)), s.seenAt(at.at.UnixNano()))
		return true
	})
}

// readParked reads what is parked, a million in about a second.
func (s *survey) readParked(dir string, c *clock) error {
	var deleted []uint64
	names := map[string]string{}
	err := scanBlocks(dir, time.Time{}, func(r *blockRecord) {
		s.last = max(s.last, r.seq)
		if r.deleted {
			deleted = append(deleted, r.seq)
			return
		}
		service := serviceOf(string(r.subject))
		if _, known := names[service]; !known {
			names[service] = service
		}
		s.parked = append(s.parked, parkedRecord{names[service], parkedOf(service, r.headers, r.seq, r.at, len(r.body), c, embeddedTerm)})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever parked
	}
	slices.Sort(deleted)
	s.parked = slices.DeleteFunc(s.parked, func(p parkedRecord) bool {
		_, found := slices.BinarySearch(deleted, p.item.seq)
		return found
	})
	return err
}

// allParked returns what is parked, in the order it was.
func (s *survey) allParked(ctx context.Context, eng *engine, c *clock) ([]parkedRecord, error) {
	s.reading.Wait()
	stream, err := eng.js.Stream(ctx, retry)
	if err != nil {
		return nil, err
	}
	state := stream.CachedInfo().State
	if s.parkedErr == nil && uint64(len(s.parked)) == state.Msgs && (state.Msgs == 0 || s.last == state.LastSeq) {
		return s.parked, nil
	}
	var all []parkedRecord
	cfg := jetstream.ConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, HeadersOnly: true}
	return all, eng.read(ctx, retry, cfg, func(m *nats.Msg, at place) bool {
		service := serviceOf(m.Subject)
		all = append(all, parkedRecord{service, parkedIn(m, at, c, embeddedTerm)})
		return true
	})
}
