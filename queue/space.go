package queue

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxReserve    = 64 << 20 // of free space that is never used; less on a small filesystem
	spaceInterval = 250 * time.Millisecond
)

// space knows how much may still be stored in some streams. A full disk must
// never reach JetStream, whose streams freeze at the first write error; nor is
// their own limit reached, which would refuse a part of what belongs together.
type space struct {
	dir string // empty: the disk is not this machine's
	max int64  // bytes of these streams

	mu      sync.Mutex
	checked time.Time
	free    int64 // on the filesystem, beyond the reserve
	used    int64 // by these streams, when last counted
	written int64 // since then
}

func newSpace(dir string, max int64) *space { return &space{dir: dir, max: max} }

// room takes space for so many bytes more of EVENTS and RETRY, or reports
// ErrFull.
func (q *Queue) room(size int64) error { return q.space.take(size, time.Now()) }

// roomForDead does the same for DEAD.
func (q *Queue) roomForDead(size int64) error { return q.deadSpace.take(size, time.Now()) }

func (s *space) take(size int64, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir != "" && now.Sub(s.checked) > spaceInterval {
		s.look(now)
	}
	switch {
	case s.dir != "" && s.free-size <= 0:
		return fmt.Errorf("%w: the disk has no free space but the reserve", ErrFull)
	case s.used+s.written+size > s.max:
		return fmt.Errorf("%w: %d of %d bytes are used", ErrFull, s.used+s.written, s.max)
	}
	s.free -= size
	s.written += size
	return nil
}

// look asks the filesystem.
func (s *space) look(now time.Time) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return
	}
	s.free, s.checked = int64(fs.Bavail)*int64(fs.Bsize)-reserveOf(&fs), now
}

// reserveOf is what is never used of a filesystem.
func reserveOf(fs *unix.Statfs_t) int64 { return min(maxReserve, int64(fs.Blocks)*int64(fs.Bsize)/10) }

// count sets what the streams hold.
func (s *space) count(used int64) {
	s.mu.Lock()
	s.used, s.written = used, 0
	s.mu.Unlock()
}
