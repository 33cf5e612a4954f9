package journal

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

// Space knows how much may still be stored in some streams. A full disk must
// never reach JetStream, whose streams freeze at the first write error; nor is
// their own limit reached, which would refuse a part of what belongs together.
type Space struct {
	max     int64                                   // bytes of these streams
	measure func() (free, reserve int64, err error) // of the disk; nil: it is not this machine's

	mu      sync.Mutex
	checked time.Time
	free    int64 // on the filesystem, beyond the reserve
	reserve int64
	used    int64 // by these streams, when last counted
	written int64 // since then
}

// NewSpace returns the space of streams that hold so many bytes at most, on the disk
// of a folder; empty: the disk is not this machine's.
func NewSpace(dir string, max int64) *Space {
	s := &Space{max: max}
	if dir != "" {
		s.measure = func() (free, reserve int64, err error) {
			var fs unix.Statfs_t
			err = unix.Statfs(dir, &fs)
			return int64(fs.Bavail) * int64(fs.Bsize), ReserveOf(&fs), err
		}
	}
	return s
}

// Take takes space for so many bytes more, or reports [record.ErrFull].
func (s *Space) Take(size int64, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fits(size, now); err != nil {
		return err
	}
	s.free -= size
	s.written += size
	return nil
}

func (s *Space) has(size int64, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fits(size, now) == nil
}

func (s *Space) fits(size int64, now time.Time) error {
	s.look(now)
	switch {
	case s.measure != nil && s.free-size <= 0:
		return fmt.Errorf("%w: the disk has no free space but the reserve", record.ErrFull)
	case size > 0 && s.used+s.written+size > s.max:
		return fmt.Errorf("%w: %d of %d bytes are used", record.ErrFull, s.used+s.written, s.max)
	}
	return nil
}

// look asks the filesystem, unless it did just now.
func (s *Space) look(now time.Time) {
	if s.measure == nil || now.Sub(s.checked) <= spaceInterval {
		return
	}
	if free, reserve, err := s.measure(); err == nil {
		s.free, s.reserve, s.checked = free-reserve, reserve, now
	}
}

// Pretend has the streams have other limits, and a disk of which is told what is
// free and what the reserve is; for tests.
func (s *Space) Pretend(limit int64, measure func() (free, reserve int64, err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max, s.measure, s.checked = limit, measure, time.Time{}
}

// Level is how much is stored, as far as known.
func (s *Space) Level() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used + s.written
}

// Low reports whether the disk is near its reserve.
func (s *Space) Low(now time.Time) bool { return s.beyond(now) < 1 }

// Spent reports whether the disk has nothing but its reserve.
func (s *Space) Spent(now time.Time) bool { return s.beyond(now) <= 0 }

// beyond is what is free beyond the reserve, in reserves.
func (s *Space) beyond(now time.Time) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.look(now); s.measure == nil {
		return math.Inf(1)
	}
	return float64(s.free) / float64(max(s.reserve, 1))
}

// ReserveOf is what is never used of a filesystem.
func ReserveOf(fs *unix.Statfs_t) int64 { return min(maxReserve, int64(fs.Blocks)*int64(fs.Bsize)/10) }

// Count sets what the streams hold.
func (s *Space) Count(used int64) {
	s.mu.Lock()
	s.used, s.written, s.checked = used, 0, time.Time{}
	s.mu.Unlock()
}

// Pressure lets those who find no room wait until delivered history was given up.
type Pressure struct {
	Wake chan struct{} // holds a token when somebody waits

	mu     sync.Mutex
	relief chan struct{} // closed when what could be given up was; nil: nobody waits
	last   time.Time     // when that was
}

// ask returns a channel that is closed when what can be given up was; nil: that
// was just now.
func (p *Pressure) ask(now time.Time) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last) < spaceInterval {
		return nil
	}
	if p.relief == nil {
		p.relief = make(chan struct{})
	}
	select {
	case p.Wake <- struct{}{}:
	default:
	}
	return p.relief
}

// Relieve has those look again who wait.
func (p *Pressure) Relieve(gave bool) {
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

// MakeWay waits for room that delivered history takes up, until closed is.
func (p *Pressure) MakeWay(s *Space, size int64, closed <-chan struct{}) {
	if s.has(size, time.Now()) {
		return
	}
	relief := p.ask(time.Now())
	if relief == nil {
		return
	}
	timer := time.NewTimer(roomPatience)
	defer timer.Stop()
	select {
	case <-relief:
	case <-closed:
	case <-timer.C:
	}
}
