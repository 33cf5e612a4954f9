package config

import (
	"math"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "24h": 24 * time.Hour, "7d": 168 * time.Hour, "1h30m": 90 * time.Minute,
		"1d12h": 36 * time.Hour, "250ms": 250 * time.Millisecond, "0s": 0, "0": 0, "1.5h": 90 * time.Minute, "0d": 0,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, value := range []any{"", "30", "-1s", "+1s", "d", "1d-1h", "1h1d", "7 d", "99999d99999d", "106751d24h", int64(30), true, nil} {
		if got, err := parseDuration(value); err == nil {
			t.Errorf("parseDuration(%v) = %v, want an error", value, got)
		}
	}
}

func TestParseSize(t *testing.T) {
	for value, want := range map[any]int64{
		"8GiB": 8 << 30, "256KiB": 256 << 10, "10MB": 10e6, "1024": 1024, "5 MiB": 5 << 20, "7B": 7, "0": 0, int64(12): 12, "2TiB": 2 << 40,
		"3KB": 3000, "2GB": 2e9, "1TB": 1e12, "6MiB": 6 << 20,
	} {
		if got, err := parseSize(value); err != nil || got != want {
			t.Errorf("parseSize(%v) = %v, %v, want %v", value, got, err, want)
		}
	}
	for _, value := range []any{"", "GiB", "-1", "1.5GiB", "8gib", "8G", "9999999999GiB", int64(-1), 1.0, nil} {
		if got, err := parseSize(value); err == nil {
			t.Errorf("parseSize(%v) = %v, want an error", value, got)
		}
	}
}

func TestSizeTextIsReadAgain(t *testing.T) {
	for _, n := range []int64{0, 1, 1023, 1024, 1536, 256 << 10, 8 << 30, 1 << 50} {
		if got, err := parseSize(sizeText(n)); err != nil || got != n {
			t.Errorf("parseSize(%q) = %v, %v, want %v", sizeText(n), got, err, n)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]float64{"50/s": 50, "300/m": 5, "1800/h": 0.5, "0.5/s": 0.5, "": 0} {
		if got, err := parseRate(text); err != nil || got.PerSecond != want {
			t.Errorf("parseRate(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	if got, err := parseRate("10000/d"); err != nil || got != (Rate{PerDay: 10000}) {
		t.Errorf("parseRate(10000/d) = %v, %v", got, err)
	}
	for _, value := range []any{"50", "0.5/d", "50/w", "/s", "0/s", "-1/s", "NaN/s", "Inf/s", "1/s/s", int64(50)} {
		if got, err := parseRate(value); err == nil {
			t.Errorf("parseRate(%v) = %v, want an error", value, got)
		}
	}
}

func TestStatusSet(t *testing.T) {
	var s StatusSet
	for _, value := range []any{"2xx", "404", int64(500)} {
		r, err := parseStatus(value)
		if err != nil {
			t.Fatal(err)
		}
		s.ranges = append(s.ranges, r)
	}
	for code, want := range map[int]bool{199: false, 200: true, 299: true, 300: false, 404: true, 405: false, 500: true, 501: false} {
		if got := s.Has(code); got != want {
			t.Errorf("%s has %d: got %v, want %v", s, code, got, want)
		}
	}
	for _, value := range []any{"6xx", "0xx", "2XX", "2x", "xx", "99", "600", "+200", "0200", int64(42), 200.0, true} {
		if got, err := parseStatus(value); err == nil {
			t.Errorf("parseStatus(%v) = %v, want an error", value, got)
		}
	}
}

func TestParseOthers(t *testing.T) {
	if got, err := parseDebug("30m"); err != nil || got != (Debug{On: true, For: 30 * time.Minute}) {
		t.Errorf(`parseDebug("30m") = %v, %v`, got, err)
	}
	if got, err := parseMode("0640"); err != nil || got != 0o640 {
		t.Errorf(`parseMode("0640") = %v, %v`, got, err)
	}
	if got, err := parseZone("America/New_York"); err != nil || got.String() != "America/New_York" {
		t.Errorf(`parseZone("America/New_York") = %v, %v`, got, err)
	}
	if got, err := parseFloat(int64(1)); err != nil || got != 1 {
		t.Errorf("parseFloat(1) = %v, %v", got, err)
	}
	for want, value := range map[string]any{"4711": int64(4711), "true": true, "1.5": 1.5, "x": "x"} {
		if got, err := parseName(value); err != nil || got != want {
			t.Errorf("parseName(%v) = %q, %v, want %q", value, got, err, want)
		}
	}
	for _, err := range []error{
		second(parseDebug("0s")), second(parseMode("0888")), second(parseMode("01777")), second(parseZone("")), second(parseZone("../x")),
		second(parseFloat(math.NaN())), second(parseInt(int64(1 << 40))), second(parseInt(1.0)),
	} {
		if err == nil {
			t.Error("a value that is none was taken")
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestNearest(t *testing.T) {
	known := []string{"id", "url", "timeout", "max_response", "retry_on"}
	for word, want := range map[string]string{
		"timeuot": "timeout", "maxResponse": "max_response", "retry": "", "URL": "url", "xy": "", "x": "", "": "", "colour": "", "tiemout": "timeout", "urll": "url",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
