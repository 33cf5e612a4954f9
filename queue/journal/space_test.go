package journal

import (
	"errors"
	"testing"
	"time"

	"callrelay/queue/record"
)

func TestReserveOfTheDiskIsKept(t *testing.T) {
	t.Parallel()
	now := time.Now()
	free := int64(500)
	s := &Space{max: 1000, measure: func() (int64, int64, error) { return free + 100, 100, nil }}
	if err := s.Take(400, now); err != nil {
		t.Error(err)
	}
	if err := s.Take(200, now); !errors.Is(err, record.ErrFull) {
		t.Errorf("beyond the free space: got %v", err)
	}
	free = 5000
	if err := s.Take(200, now.Add(time.Second)); err != nil {
		t.Errorf("after the disk was looked at again: %v", err)
	}
	if err := s.Take(500, now); !errors.Is(err, record.ErrFull) {
		t.Errorf("beyond the limit: got %v", err)
	}
}
