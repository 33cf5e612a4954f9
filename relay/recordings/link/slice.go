package link

import (
	"math"
	"strconv"
	"strings"
)

// A Slice is the part of a recording between two moments, in seconds from its
// start. The zero value is the whole of it; an End of 0 is the recording's.
type Slice struct {
	Start, End float64
}

// Whole reports whether nothing is cut away.
func (s Slice) Whole() bool { return s == Slice{} }

// Valid reports whether s is the whole or holds any time at all.
func (s Slice) Valid() bool {
	return s.Start >= 0 && !math.IsInf(s.Start, 0) && !math.IsInf(s.End, 0) && (s.End == 0 || s.End > s.Start)
}

// String writes s as the parameters of a link, "start=1.5&end=3"; the whole
// is empty.
func (s Slice) String() string {
	var parts []string
	if s.Start != 0 {
		parts = append(parts, "start="+seconds(s.Start))
	}
	if s.End != 0 {
		parts = append(parts, "end="+seconds(s.End))
	}
	return strings.Join(parts, "&")
}

func seconds(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// parseSlice reads both parameters, where empty is absent, only in the form
// that String writes.
func parseSlice(start, end string) (Slice, error) {
	var s Slice
	for _, part := range []struct {
		text string
		into *float64
	}{{start, &s.Start}, {end, &s.End}} {
		if part.text == "" {
			continue
		}
		f, err := strconv.ParseFloat(part.text, 64)
		if err != nil || f == 0 || seconds(f) != part.text {
			return Slice{}, ErrQuery
		}
		*part.into = f
	}
	if !s.Valid() {
		return Slice{}, ErrQuery
	}
	return s, nil
}
