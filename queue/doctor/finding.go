package doctor

import "fmt"

// Level is how bad a [Finding] is.
type Level string

// The levels.
const (
	Well     Level = "ok"
	Doubtful Level = "warning" // it works, and may not for long
	Faulty   Level = "fault"   // it does not work, or something is lost
)

// Finding is what an examination found of one thing, as `relay doctor` prints it.
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"`         // was looked at
	Text  string `json:"text"`         // what was found
	Do    string `json:"do,omitempty"` // what to do about it; empty: nothing
}

// findings collects what is found, in order.
type findings struct{ list []Finding }

func (f *findings) well(what, format string, args ...any) {
	f.list = append(f.list, Finding{Well, what, fmt.Sprintf(format, args...), ""})
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
