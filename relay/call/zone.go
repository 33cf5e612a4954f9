package call

import (
	"time"

	"callrelay/render"
)

// zoned returns the time in a JSON string as RFC 3339 with an offset when it is
// an ANSI SQL or RFC 3339 time without a zone, and anything else as it is. The
// digits stay what they were. An hour that the clocks show twice is the earlier
// one; one that they skip is read as if they had not changed.
func zoned(raw string, zone *time.Location) string {
	const layout, shortest = "2006-01-02T15:04:05", len(`"2006-01-02T15:04:05"`)
	if len(raw) < shortest || raw[0] != '"' || (raw[11] != ' ' && raw[11] != 'T') || !fraction(raw[20:]) {
		return raw
	}
	wall, err := time.Parse(layout, raw[1:11]+"T"+raw[12:20])
	if err != nil {
		return raw
	}
	offset := "Z"
	switch seconds := int(wall.Sub(render.InZone(wall, zone)).Seconds()); {
	case seconds%60 != 0:
		return raw // RFC 3339 has no seconds in an offset
	case seconds != 0:
		offset = time.Time{}.In(time.FixedZone("", seconds)).Format("Z07:00")
	}
	return raw[:11] + "T" + raw[12:len(raw)-1] + offset + `"`
}

// fraction reports whether the rest of the string is at most a fraction of a
// second and the closing quote.
func fraction(rest string) bool {
	if rest == `"` {
		return true
	}
	if len(rest) < 3 || rest[0] != '.' {
		return false
	}
	for _, c := range []byte(rest[1 : len(rest)-1]) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
