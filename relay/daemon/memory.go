package daemon

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// limitMemory has the garbage collector work harder before the system runs
// short: at nine tenths of what the control group allows, or at half of the
// machine's memory. GOMEMLIMIT goes before.
func limitMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	var limit int64
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		limit = int64(info.Totalram) * int64(info.Unit) / 2
	}
	if allowed := groupLimit(); allowed > 0 && (limit == 0 || allowed/10*9 < limit) {
		limit = allowed / 10 * 9
	}
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}

// leastGarbage may always gather between two collections, in bytes: a small heap
// is not collected for less.
const leastGarbage = 8 << 20

// paceCollector keeps the heap close to what is in use, until ctx ends: what
// floods and backlogs make the relay hold counts once and a half, not twice.
// GOGC goes before.
func paceCollector(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		<-ctx.Done()
		return nil
	}
	inUse := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for percent := 0; ; {
		metrics.Read(inUse)
		if next := garbagePercent(inUse[0].Value.Uint64()); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// garbagePercent is GOGC for so many bytes in use: Go's custom for a small heap,
// half of that for a large one.
func garbagePercent(inUse uint64) int {
	return int(min(max(100*leastGarbage/max(inUse, 1), 50), 100))
}

// groupLimit is the limit of the process's control group in bytes, 0 for none.
func groupLimit() int64 {
	path := "/sys/fs/cgroup/memory.max"
	if own, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		if group, ok := strings.CutPrefix(strings.TrimSpace(string(own)), "0::"); ok {
			path = "/sys/fs/cgroup" + group + "/memory.max"
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil { // "max"
		return 0
	}
	return limit
}
