package main

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// measureDisk appends records of 600 bytes with an fdatasync behind each group: the limit of every durable queue.
func measureDisk(s *session, t *table) {
	for _, group := range []int{1, 64, 1000} {
		rate := s.appendSynced(group, s.count(min(200_000, 4000*group)))
		t.figure("append + fdatasync, groups of "+itoa(group), itoa(int(rate))+"/s", "the disk itself")
		s.limits.synced = rate
	}
}

func (s *session) appendSynced(group, n int) float64 {
	f, err := os.Create(filepath.Join(s.dir, "append"))
	s.check(err)
	defer f.Close() //nolint:errcheck // only its time matters
	record := make([]byte, 600*group)
	start := time.Now()
	for range n / group {
		_, err := f.Write(record)
		s.check(err)
		s.check(unix.Fdatasync(int(f.Fd())))
	}
	return perSecond(n/group*group, time.Since(start))
}

// appendLags appends a record of 600 bytes every 2 ms and returns how long each took to be on disk, in order of length:
// what part of a latency is the disk's own.
func (s *session) appendLags(n int) []time.Duration {
	f, err := os.Create(filepath.Join(s.dir, "append"))
	s.check(err)
	defer f.Close() //nolint:errcheck // only its time matters
	record, lags := make([]byte, 600), make([]time.Duration, n)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for i := range lags {
		<-tick.C
		start := time.Now()
		_, err := f.Write(record)
		s.check(err)
		s.check(unix.Fdatasync(int(f.Fd())))
		lags[i] = time.Since(start)
	}
	slices.Sort(lags)
	return lags
}
