package render

import (
	"errors"
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

var errNoTime = errors.New("not a time (RFC 3339, epoch seconds or milliseconds, or 2006-01-02 15:04:05)")

// ParseTime reads a time: RFC 3339, with a space for the T and without a zone
// too, or digits that count seconds or, from 12 digits on, milliseconds since
// 1970, with decimals or without. A time without a zone is read in zone; of an
// hour that the clocks there pass twice, it is the earlier one.
func ParseTime(s string, zone *time.Location) (time.Time, error) {
	if t, ok := parseEpoch(s); ok {
		return t, nil
	}
	t, rest, ok := parseWall(s)
	if !ok {
		return time.Time{}, errNoTime
	}
	if rest == "" {
		return inZone(t, zone), nil
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return time.Time{}, errNoTime
	}
	return t.Add(-offset), nil
}

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
	const longest = 13                  // digits: more are microseconds or a date
	whole, decimals, _ := strings.Cut(s, ".")
	if whole == "" || len(whole) > longest || !allDigits(whole) || !allDigits(decimals) || strings.HasSuffix(s, ".") {
		return time.Time{}, false
	}
	n, _ := strconv.ParseInt(whole, 10, 64)
	if n < firstMillis {
		return time.Unix(n, fraction(decimals)), true
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

// parseWall reads date and time of day as if in UTC, and returns what follows.
func parseWall(s string) (time.Time, string, bool) {
	const form = "2006-01-02 15:04:05"
	if len(s) < len(form) {
		return time.Time{}, "", false
	}
	for i := range len(form) {
		switch c := s[i]; {
		case i == 10 && (c == 'T' || c == 't' || c == ' '):
		case i != 10 && '0' <= form[i] && form[i] <= '9' && '0' <= c && c <= '9':
		case i != 10 && c == form[i]:
		default:
			return time.Time{}, "", false
		}
	}
	num := func(from, to int) int { n, _ := strconv.Atoi(s[from:to]); return n }
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, second := num(11, 13), num(14, 16), num(17, 19)
	decimals, rest, ok := cutDecimals(s[len(form):])
	t := time.Date(year, time.Month(month), day, hour, minute, second, int(fraction(decimals)), time.UTC)
	ok = ok && t.Day() == day && t.Month() == time.Month(month) && hour < 24 && minute < 60 && second < 60
	return t, rest, ok
}

// cutDecimals takes .ffff off the front of s.
func cutDecimals(s string) (decimals, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return "", s, true
	}
	end := 1
	for end < len(s) && '0' <= s[end] && s[end] <= '9' {
		end++
	}
	return s[1:end], s[end:], end > 1
}

// parseOffset reads Z or +hh:mm, the colon being optional.
func parseOffset(s string) (time.Duration, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) == len("+hh:mm") && s[3] == ':' {
		s = s[:3] + s[4:]
	}
	if len(s) != len("+hhmm") || s[0] != '+' && s[0] != '-' || !allDigits(s[1:]) {
		return 0, false
	}
	hours, _ := strconv.Atoi(s[1:3])
	minutes, _ := strconv.Atoi(s[3:])
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, hours < 24 && minutes < 60
}

// inZone takes a wall clock reading, given as if in UTC, to be one in zone.
// Package time does not say which of two possible times it picks; this is the
// earlier, and a reading that the clocks skip is taken by the offset before.
func inZone(wall time.Time, zone *time.Location) time.Time {
	if zone == time.UTC {
		return wall
	}
	offset := func(t time.Time) time.Duration {
		_, seconds := t.In(zone).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offset(wall.Add(-24*time.Hour)), offset(wall.Add(24*time.Hour))
	if t := wall.Add(-before); offset(t) == before {
		return t
	}
	if t := wall.Add(-after); offset(t) == after {
		return t
	}
	return wall.Add(-before)
}
