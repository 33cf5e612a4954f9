package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What a value is wanted to be, for the end of a problem.
var (
	errBool     = errors.New("is not true or false")
	errInt      = errors.New("is not a whole number")
	errFloat    = errors.New("is not a number")
	errName     = errors.New("is not text")
	errSize     = errors.New(`is not a size (such as "8GiB", "256KiB", 1024)`)
	errDuration = errors.New(`is not a duration (such as "30s", "24h", "7d")`)
	errMode     = errors.New(`is not a mode (such as "0660")`)
	errZone     = errors.New(`is not a time zone (such as "UTC", "Europe/Berlin")`)
	errRate     = errors.New(`is not a rate (such as "50/s", "300/m", "1000/h", "10000/d")`)
	errDebug    = errors.New(`is not true, false or a duration (such as "30m")`)
	errNetwork  = errors.New(`is not an address or a network (such as "127.0.0.1", "10.0.0.0/8")`)
	errStatus   = errors.New(`is not a status (such as "2xx", "404")`)
)

func parseBool(value any) (bool, error) {
	v, ok := value.(bool)
	if !ok {
		return false, errBool
	}
	return v, nil
}

func parseInt(value any) (int, error) {
	v, ok := value.(int64)
	if !ok || v > math.MaxInt32 || v < math.MinInt32 {
		return 0, errInt
	}
	return int(v), nil
}

func parseFloat(value any) (float64, error) {
	switch v := value.(type) {
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v, nil
		}
	case int64:
		return float64(v), nil
	}
	return 0, errFloat
}

// parseName takes text, and what is text without its quotes: numbers, true and
// false.
func parseName(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case int64, bool:
		return fmt.Sprint(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", errName
}

// sizeUnits are powers of 1024 and of 1000, and bytes.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
	{"", 1},
}

func parseSize(value any) (int64, error) {
	if n, ok := value.(int64); ok && n >= 0 {
		return n, nil
	}
	text, _ := value.(string)
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(text, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err != nil || int64(n) > math.MaxInt64/unit.bytes {
			return 0, errSize
		}
		return int64(n) * unit.bytes, nil
	}
	return 0, errSize
}

// sizeText writes a number of bytes as the file would.
func sizeText(n int64) string {
	for _, unit := range []int{3, 2, 1, 0} { // TiB to KiB
		if u := sizeUnits[unit]; n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// days is the part of a duration that the time package does not know.
var days = regexp.MustCompile(`^([0-9]{1,5})d`)

// parseDuration takes "7d", "1d12h" and all that time.ParseDuration takes but
// negative ones.
func parseDuration(value any) (time.Duration, error) {
	text, ok := value.(string)
	var whole time.Duration
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // at most five digits
		whole = time.Duration(n) * 24 * time.Hour
		text = text[len(m[0]):]
		if text == "" {
			return whole, nil
		}
	}
	rest, err := time.ParseDuration(text)
	if !ok || err != nil || rest < 0 || strings.HasPrefix(text, "+") || whole+rest < 0 {
		return 0, errDuration
	}
	return whole + rest, nil
}

func parseMode(value any) (fs.FileMode, error) {
	text, ok := value.(string)
	mode, err := strconv.ParseUint(text, 8, 32)
	if !ok || err != nil || mode > 0o777 {
		return 0, errMode
	}
	return fs.FileMode(mode), nil
}

// parseNetwork takes an address as the network of itself.
func parseNetwork(value any) (netip.Prefix, error) {
	text, _ := value.(string)
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network != network.Masked() {
		return netip.Prefix{}, errNetwork
	}
	return network, nil
}

func parseZone(value any) (*time.Location, error) {
	text, ok := value.(string)
	zone, err := time.LoadLocation(text)
	if !ok || text == "" || err != nil {
		return nil, errZone
	}
	return zone, nil
}

// parseRate takes a number per second, minute, hour or day. Empty is no limit.
func parseRate(value any) (Rate, error) {
	text, ok := value.(string)
	if ok && text == "" {
		return Rate{}, nil
	}
	digits, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseFloat(digits, 64)
	per := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	if err == nil && unit == "d" && n >= 1 && n <= 1e9 && n == math.Trunc(n) {
		return Rate{PerDay: int(n)}, nil
	}
	if err != nil || per == 0 || !(n > 0) || n > 1e9 {
		return Rate{}, errRate
	}
	return Rate{PerSecond: n / per}, nil
}

func parseDebug(value any) (Debug, error) {
	if on, ok := value.(bool); ok {
		return Debug{On: on}, nil
	}
	d, err := parseDuration(value)
	if err != nil || d == 0 {
		return Debug{}, errDebug
	}
	return Debug{On: true, For: d}, nil
}

// A StatusSet is a set of HTTP statuses. The zero value is empty.
type StatusSet struct{ ranges []statuses }

// statuses are those from first to last, both included.
type statuses struct{ first, last int }

// Has reports whether the set holds a status.
func (s StatusSet) Has(code int) bool {
	for _, r := range s.ranges {
		if r.first <= code && code <= r.last {
			return true
		}
	}
	return false
}

// String returns the set as the file writes it: 2xx, 404.
func (s StatusSet) String() string {
	texts := make([]string, len(s.ranges))
	for i, r := range s.ranges {
		if texts[i] = strconv.Itoa(r.first); r.first != r.last {
			texts[i] = texts[i][:1] + "xx"
		}
	}
	return strings.Join(texts, ", ")
}

// parseStatus takes "2xx", "404" and 404.
func parseStatus(value any) (statuses, error) {
	text, _ := value.(string)
	if n, ok := value.(int64); ok {
		text = strconv.FormatInt(n, 10)
	}
	if class, ok := strings.CutSuffix(text, "xx"); ok && len(class) == 1 && class >= "1" && class <= "5" {
		n := int(class[0]-'0') * 100
		return statuses{n, n + 99}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 || n > 599 || len(text) != 3 {
		return statuses{}, errStatus
	}
	return statuses{n, n}, nil
}
