package call

import "time"

// day is longer than any change of a zone's offset reaches.
const day = 24 * time.Hour

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
	if zone != nil && zone != time.UTC {
		seconds := offsetAt(wall, zone)
		if seconds%60 != 0 {
			return raw // RFC 3339 has no seconds in an offset
		}
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

// offsetAt returns the seconds east of UTC of a wall clock in a zone. Wall holds
// the clock's reading as if it were UTC.
func offsetAt(wall time.Time, zone *time.Location) int {
	_, before := wall.Add(-day).In(zone).Zone()
	_, after := wall.Add(day).In(zone).Zone()
	for _, seconds := range []int{before, after} {
		if _, there := wall.Add(-time.Duration(seconds) * time.Second).In(zone).Zone(); there == seconds {
			return seconds
		}
	}
	return before
}
