package limit

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sys/unix"
)

const (
	enoughDescriptors = 8 << 10          // of the process, for every listener to have all its places
	shortFor          = 30 * time.Second // how long a shortage is reported after it was last met
)

// Scale is how many of some places there are: all of them, or fewer in a process
// that may open few files. At least half of those it may open stay for the queue
// and the endpoints.
func Scale(places int) int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur >= enoughDescriptors {
		return places
	}
	return max(places*int(limit.Cur)/enoughDescriptors, 8)
}

// Descriptors reports having run out of file descriptors. A nil one reports
// nobody. Safe for concurrent use.
type Descriptors struct {
	log   *slog.Logger
	count prometheus.Counter
	last  atomic.Int64 // unix nanoseconds
}

// NewDescriptors registers the metric.
func NewDescriptors(log *slog.Logger, r prometheus.Registerer) *Descriptors {
	return &Descriptors{log: log, count: promauto.With(r).NewCounter(prometheus.CounterOpts{
		Name: "relay_descriptors_exhausted_total",
		Help: "Connections and files not opened because the process had no file descriptors left.",
	})}
}

// Exhausted reports whether an error says that no descriptor was left. It speaks
// of this process or machine, never of a peer.
func Exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// Note counts an error that is [Exhausted], and logs each shortage once.
func (d *Descriptors) Note(err error) {
	if d == nil || !Exhausted(err) {
		return
	}
	d.count.Inc()
	now := time.Now()
	if last := d.last.Swap(now.UnixNano()); now.Sub(time.Unix(0, last)) > shortFor {
		d.log.Error("out of file descriptors", "err", err)
	}
}

// Problem says so while there are none, and for a while afterwards; else "".
func (d *Descriptors) Problem() string {
	if ago := time.Since(time.Unix(0, d.last.Load())); ago < shortFor {
		return fmt.Sprintf("out of file descriptors %s ago: raise LimitNOFILE or find who takes them", ago.Round(time.Second))
	}
	return ""
}
