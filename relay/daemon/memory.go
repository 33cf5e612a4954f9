package daemon

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

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
