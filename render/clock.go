package render

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ANSI is the layout of times by default: the ANSI SQL form with four decimals
// of a second and no zone.
const ANSI = "2006-01-02 15:04:05.0000"

// The layouts that are not Go layouts.
const (
	layoutUnix   = "unix"
	layoutUnixMS = "unixms"
)

var errNoTime = errors.New("not a time (RFC 3339, epoch seconds, milliseconds or microseconds, or 2006-01-02 15:04:05)")

// ParseTime reads a time: RFC 3339, with a space for the T and without a zone
// too, and what is usual besides: hours alone as an offset, no seconds, no time of
// day, no marks between the digits. Or digits that count seconds, from 12 digits
// on milliseconds, or from 15 on microseconds since 1970. A time without a zone is read in zone; of an
// hour that the clocks there pass twice, it is the earlier one.
func ParseTime(s string, zone *time.Location) (time.Time, error) {
	if t, ok := parseEpoch(s); ok {
		return t, nil
	}
	if t, ok := parseClock(s, zone); ok {
		return t, nil
	}
	if s, ok := spelledOut(s); ok {
		if t, ok := parseClock(s, zone); ok {
			return t, nil
		}
	}
	return time.Time{}, errNoTime
}

// parseClock reads a date with a time of day as RFC 3339 writes it, with a space
// for the T and without an offset too.
func parseClock(s string, zone *time.Location) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		_, east := t.Zone()
		return t, max(east, -east) < int(day.Seconds()) // package time takes a whole day, too
	}
	t, err := time.Parse(time.DateTime, strings.Replace(s, "T", " ", 1))
	return InZone(t, zone), err == nil
}

// day is longer than any change of a zone's offset reaches.
const day = 24 * time.Hour

// FormatTime writes t in zone by a layout: unix, unixms or one of package time.
func FormatTime(t time.Time, layout string, zone *time.Location) string {
	switch layout {
	case layoutUnix:
		return strconv.FormatInt(t.Unix(), 10)
	case layoutUnixMS:
		return strconv.FormatInt(t.UnixMilli(), 10)
	default:
		return t.In(zone).Format(layout)
	}
}

// parseEpoch reads seconds or milliseconds since 1970.
func parseEpoch(s string) (time.Time, bool) {
	const firstMillis = 100_000_000_000 // as seconds, the year 5138
	const firstMicros = 100_000_000_000_000
	const longest = 16 // digits
	whole, decimals, _ := strings.Cut(s, ".")
	if whole == "" || len(whole) > longest || len(whole) == len("20060102150405") || !allDigits(whole) || !allDigits(decimals) || strings.HasSuffix(s, ".") {
		return time.Time{}, false
	}
	n, _ := strconv.ParseInt(whole, 10, 64)
	if n < firstMillis {
		return time.Unix(n, fraction(decimals)), true
	}
	if n >= firstMicros {
		return time.UnixMicro(n), true
	}
	return time.UnixMilli(n).Add(time.Duration(fraction(decimals)) / 1000), true
}

// fraction reads decimals as billionths.
func fraction(decimals string) int64 {
	n, unit := int64(0), int64(100_000_000)
	for i := 0; i < len(decimals) && unit > 0; i++ {
		n += int64(decimals[i]-'0') * unit
		unit /= 10
	}
	return n
}

// wall are the forms of date, time and zone that ISO 8601 and databases know
// besides the one above.
var wall = regexp.MustCompile(`^(\d{4})-?(\d\d)-?(\d\d)(?:[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)? ?(?i:(Z|UTC|GMT)|([+-]\d\d):?(\d\d)?)?$`)

// spelledOut writes such a time as parseClock reads it. A leap second is the one
// after it.
func spelledOut(s string) (string, bool) {
	m := wall.FindStringSubmatch(s)
	if m == nil || len(m[1]+m[2]+m[3]) == len(s) {
		return "", false
	}
	two := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
	day := time.Date(two(1), time.Month(two(2)), two(3), 0, 0, 0, 0, time.UTC)
	if day.Day() != two(3) || day.Month() != time.Month(two(2)) || two(4) > 23 || two(5) > 59 || two(6) > 60 {
		return "", false
	}
	zone := ""
	switch {
	case m[8] != "":
		zone = "Z"
	case m[9] != "":
		zone = m[9] + ":" + cmp.Or(m[10], "00")
	}
	at := day.Add(time.Duration(two(4))*time.Hour + time.Duration(two(5))*time.Minute + time.Duration(two(6))*time.Second)
	decimals := ""
	if m[7] != "" {
		decimals = "." + m[7]
	}
	return at.Format("2006-01-02T15:04:05") + decimals + zone, true
}

// InZone takes a wall clock reading, given as if in UTC, to be one in zone.
// Package time does not say which of two possible times it picks; this is the
// earlier, and a reading that the clocks skip is taken by the offset before.
func InZone(wall time.Time, zone *time.Location) time.Time {
	if zone == nil || zone == time.UTC {
		return wall
	}
	offset := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offset(wall.Add(-day)), offset(wall.Add(day))
	if t := wall.Add(-before); offset(t) == before {
		return t
	}
	if t := wall.Add(-after); offset(t) == after {
		return t
	}
	return wall.Add(-before)
}
