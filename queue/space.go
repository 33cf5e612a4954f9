package queue

import (
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"callrelay/queue/record"
)

const (
	maxReserve    = 64 << 20 // of free space that is never used; less on a small filesystem
	spaceInterval = 250 * time.Millisecond
)

// space knows how much may still be stored in some streams. A full disk must
// never reach JetStream, whose streams freeze at the first write error; nor is
// their own limit reached, which would refuse a part of what belongs together.
type space struct {
	max     int64                                   // bytes of these streams
	measure func() (free, reserve int64, err error) // of the disk; nil: it is not this machine's

	mu      sync.Mutex
	checked time.Time
	free    int64 // on the filesystem, beyond the reserve
	reserve int64
	used    int64 // by these streams, when last counted
	written int64 // since then
}

func newSpace(dir string, max int64) *space {
	s := &space{max: max}
	if dir != "" {
		s.measure = func() (free, reserve int64, err error) {
			var fs unix.Statfs_t
			err = unix.Statfs(dir, &fs)
			return int64(fs.Bavail) * int64(fs.Bsize), reserveOf(&fs), err
		}
	}
	return s
}

// room takes space for so many bytes more of EVENTS and RETRY, or reports
// ErrFull.
func (q *Queue) room(size int64) error { return q.space.take(size, time.Now()) }

// roomForDead does the same for DEAD.
func (q *Queue) roomForDead(size int64) error { return q.deadSpace.take(size, time.Now()) }

func (s *space) take(size int64, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fits(size, now); err != nil {
		return err
	}
	s.free -= size
	s.written += size
	return nil
}

func (s *space) has(size int64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fits(size, now) == nil
}

func (s *space) fits(size int64, now time.Time) error {
	s.look(now)
	switch {
	case s.measure != nil && s.free-size <= 0:
		return fmt.Errorf("%w: the disk has no free space but the reserve", record.ErrFull)
	case s.used+s.written+size > s.max:
		return fmt.Errorf("%w: %d of %d bytes are used", record.ErrFull, s.used+s.written, s.max)
	}
	return nil
}

// look asks the filesystem, unless it did just now.
func (s *space) look(now time.Time) {
	if s.measure == nil || now.Sub(s.checked) <= spaceInterval {
		return
	}
	if free, reserve, err := s.measure(); err == nil {
		s.free, s.reserve, s.checked = free-reserve, reserve, now
	}
}

// level is how much is stored, as far as known.
func (s *space) level() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used + s.written
}

// low reports whether the disk is near its reserve.
func (s *space) low(now time.Time) bool { return s.beyond(now) < 1 }

// spent reports whether the disk has nothing but its reserve.
func (s *space) spent(now time.Time) bool { return s.beyond(now) <= 0 }

// beyond is what is free beyond the reserve, in reserves.
func (s *space) beyond(now time.Time) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.look(now); s.measure == nil {
		return math.Inf(1)
	}
	return float64(s.free) / float64(max(s.reserve, 1))
}

// reserveOf is what is never used of a filesystem.
func reserveOf(fs *unix.Statfs_t) int64 { return min(maxReserve, int64(fs.Blocks)*int64(fs.Bsize)/10) }

// count sets what the streams hold.
func (s *space) count(used int64) {
	s.mu.Lock()
	s.used, s.written, s.checked = used, 0, time.Time{}
	s.mu.Unlock()
}

// pressure lets those who find no room wait until delivered history was given up.
type pressure struct {
	wake chan struct{} // holds a token when somebody waits

	mu     sync.Mutex
	relief chan struct{} // closed when what could be given up was; nil: nobody waits
	last   time.Time     // when that was
}

// ask returns a channel that is closed when what can be given up was; nil: that
// was just now.
func (p *pressure) ask(now time.Time) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last) < spaceInterval {
		return nil
	}
	if p.relief == nil {
		p.relief = make(chan struct{})
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return p.relief
}

// relieve has those look again who wait.
func (p *pressure) relieve(gave bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.relief != nil {
		close(p.relief)
		p.relief = nil
	}
	if !gave {
		p.last = time.Now()
	}
}

// makeWay waits for room that delivered history takes up.
func (q *Queue) makeWay(size int64) {
	if q.space.has(size, time.Now()) {
		return
	}
	relief := q.pressure.ask(time.Now())
	if relief == nil {
		return
	}
	timer := time.NewTimer(roomPatience)
	defer timer.Stop()
	select {
	case <-relief:
	case <-q.closed:
	case <-timer.C:
	}
}
