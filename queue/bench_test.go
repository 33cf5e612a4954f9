package queue

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"callrelay/queue/engine"
	"callrelay/queue/journal"
	"callrelay/queue/record"
)

// benchRecord has a body of 600 bytes, as in the figures of the README.
func benchRecord(n int) record.Record {
	r := sample("crm", n)
	r.ID = fmt.Sprintf("bench-%d", n)
	r.Body = make([]byte, 600)
	return r
}

// syncLimit measures how many groups of records of 600 bytes a second the disk
// can append and fdatasync.
func syncLimit(b *testing.B, group int) float64 {
	b.Helper()
	file, err := os.Create(filepath.Join(b.TempDir(), "limit"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	data := make([]byte, group*600)
	start, n := time.Now(), 0
	for ; time.Since(start) < 300*time.Millisecond; n++ {
		if _, err := file.Write(data); err != nil {
			b.Fatal(err)
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return float64(n*group) / time.Since(start).Seconds()
}

// BenchmarkAppend stores one record at a time with so many on their way, and
// reports its rate beside that of the bare disk.
func BenchmarkAppend(b *testing.B) {
	for _, inFlight := range []int{1, 32, 4000} {
		b.Run(fmt.Sprintf("in flight %d", inFlight), func(b *testing.B) {
			limit := syncLimit(b, min(inFlight, journal.MaxCommit))
			q := open(b, engine.Options{Dir: b.TempDir()})
			places := make(chan struct{}, inFlight)
			var n int
			b.ReportAllocs()
			for b.Loop() {
				places <- struct{}{}
				n++
				q.Append([]record.Record{benchRecord(n)}, func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-places
				})
			}
			for range inFlight {
				places <- struct{}{}
			}
			rate := float64(n) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "records/s")
			b.ReportMetric(rate/limit, "of-fdatasync")
		})
	}
}

// BenchmarkThrough stores records and finishes them as they come out.
func BenchmarkThrough(b *testing.B) {
	q := open(b, engine.Options{Dir: b.TempDir()})
	l := q.Lane("crm")
	var finished sync.WaitGroup
	places := make(chan struct{}, 4000)
	finished.Go(func() {
		for n := 0; n < b.N; {
			entries, err := l.Next(context.Background(), 32)
			if err != nil {
				b.Error(err)
				return
			}
			for _, e := range entries {
				e.Finish()
			}
			n += len(entries)
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		places <- struct{}{}
		q.Append([]record.Record{benchRecord(n)}, func(err error) {
			if err != nil {
				b.Error(err)
			}
			<-places
		})
	}
	finished.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
