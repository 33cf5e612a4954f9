package web

import (
	"testing"
	"time"
)

func TestAge(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name string
		t    time.Time
		want string
	}{
		{"no time", time.Time{}, "-"},
		{"the future is now", now.Add(time.Hour), "0s"},
		{"seconds", now.Add(-59 * time.Second), "59s"},
		{"minutes", now.Add(-61 * time.Second), "1m01s"},
		{"hours", now.Add(-3*time.Hour - 4*time.Minute), "3h04m"},
		{"days", now.Add(-49 * time.Hour), "2d01h"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Age(test.t, now); got != test.want {
				t.Errorf("Age = %q, want %q", got, test.want)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for _, test := range []struct {
		bytes int64
		want  string
	}{
		{0, "0 B"},
		{1023, "1023 B"},
		{1536, "1.5 KiB"},
		{6 << 30, "6 GiB"},
		{1000 << 20, "1000 MiB"},
	} {
		if got := Size(test.bytes); got != test.want {
			t.Errorf("Size(%d) = %q, want %q", test.bytes, got, test.want)
		}
	}
}

func TestLatency(t *testing.T) {
	for _, test := range []struct {
		seconds float64
		want    string
	}{
		{0, "-"},
		{0.00123, "1.2ms"},
		{0.0456, "46ms"},
		{1.5, "1.5s"},
	} {
		if got := Latency(test.seconds); got != test.want {
			t.Errorf("Latency(%v) = %q, want %q", test.seconds, got, test.want)
		}
	}
}
