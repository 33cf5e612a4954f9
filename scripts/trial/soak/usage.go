package main

import (
	"fmt"
	"strconv"

	"callrelay/scripts/trial"
)

// usage is what the process holds.
type usage struct{ mib, goroutines, files float64 }

func measure(r *trial.Relay) usage {
	value := func(series string) float64 {
		v, _ := strconv.ParseFloat(r.Metric(series), 64)
		return v
	}
	return usage{value("process_resident_memory_bytes") / (1 << 20), value("go_goroutines"), value("process_open_fds")}
}

// grown says what is clearly more than before, "" when nothing is.
func (u usage) grown(before usage) string {
	switch {
	case u.mib > before.mib*1.5+32:
		return fmt.Sprintf("memory grew from %.0f to %.0f MiB", before.mib, u.mib)
	case u.goroutines > before.goroutines+20:
		return fmt.Sprintf("goroutines grew from %.0f to %.0f", before.goroutines, u.goroutines)
	case u.files > before.files+20:
		return fmt.Sprintf("open files grew from %.0f to %.0f", before.files, u.files)
	}
	return ""
}

// String is one line for the report.
func (u usage) String() string {
	return fmt.Sprintf("%.0f MiB, %.0f goroutines, %.0f open files", u.mib, u.goroutines, u.files)
}
