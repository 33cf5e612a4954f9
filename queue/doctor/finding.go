package doctor

import "fmt"

// Level is how bad a [Finding] is. Its zero value is well.
type Level uint8

// The levels.
const (
	Well     Level = iota
	Doubtful       // it works, and may not for long
	Faulty         // it does not work, or something is lost
)

// String returns the level as `relay doctor` shows it.
func (l Level) String() string {
	switch l {
	case Well:
		return "ok"
	case Doubtful:
		return "warning"
	default:
		return "fault"
	}
}

// Finding is what an examination found of one thing.
type Finding struct {
	Level Level
	What  string // what was looked at
	Text  string // what was found
	Do    string // what to do about it; empty: nothing
}

// findings collects what is found, in order.
type findings struct{ list []Finding }

func (f *findings) well(what, format string, args ...any) {
	f.list = append(f.list, Finding{What: what, Text: fmt.Sprintf(format, args...)})
}

func (f *findings) doubt(what, do, format string, args ...any) {
	f.list = append(f.list, Finding{Doubtful, what, fmt.Sprintf(format, args...), do})
}

func (f *findings) fault(what, do, format string, args ...any) {
	f.list = append(f.list, Finding{Faulty, what, fmt.Sprintf(format, args...), do})
}

// sizeText writes bytes for people.
func sizeText(bytes int64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	default:
		return fmt.Sprintf("%d B", bytes)
	}
}

// many is a number of things.
func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
