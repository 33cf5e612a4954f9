package render

import (
	"testing"
	"time"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestParseTime(t *testing.T) {
	for _, test := range []struct {
		name, in, zone string
		want           string // RFC 3339 in UTC; empty: no time
	}{
		{"RFC 3339", "2020-04-22T01:02:03Z", "America/Chicago", "2020-04-22T01:02:03Z"},
		{"with an offset", "2020-04-22T01:02:03.5-05:00", "UTC", "2020-04-22T06:02:03.5Z"},
		{"offset without a colon", "2020-04-22 01:02:03+0530", "UTC", "2020-04-21T19:32:03Z"},
		{"small letters", "2020-04-22t01:02:03z", "UTC", "2020-04-22T01:02:03Z"},
		{"RFC 3339 without a zone", "2020-04-22T01:02:03", "America/Chicago", "2020-04-22T06:02:03Z"},
		{"ANSI", "2020-04-22 00:00:00.0000", "UTC", "2020-04-22T00:00:00Z"},
		{"ANSI without decimals", "2020-04-22 00:00:00", "Europe/Berlin", "2020-04-21T22:00:00Z"},
		{"more decimals than nanoseconds", "2020-04-22 00:00:00.1234567891", "UTC", "2020-04-22T00:00:00.123456789Z"},
		{"epoch seconds", "1587513600", "America/Chicago", "2020-04-22T00:00:00Z"},
		{"epoch seconds with decimals", "1587513600.25", "UTC", "2020-04-22T00:00:00.25Z"},
		{"epoch milliseconds", "1587513600250", "UTC", "2020-04-22T00:00:00.25Z"},
		{"epoch milliseconds with decimals", "1587513600250.5", "UTC", "2020-04-22T00:00:00.2505Z"},
		{"the epoch", "0", "UTC", "1970-01-01T00:00:00Z"},
		{"ambiguous hour is the earlier one", "2020-11-01 01:30:00", "America/Chicago", "2020-11-01T06:30:00Z"},
		{"ambiguous hour in Europe", "2020-10-25 02:30:00", "Europe/Berlin", "2020-10-25T00:30:00Z"},
		{"ambiguous half hour", "2020-04-05 01:45:00", "Australia/Lord_Howe", "2020-04-04T14:45:00Z"},
		{"after the ambiguous hour", "2020-11-01 02:00:00", "America/Chicago", "2020-11-01T08:00:00Z"},
		{"before the ambiguous hour", "2020-11-01 00:59:59", "America/Chicago", "2020-11-01T05:59:59Z"},
		{"hour that is skipped", "2020-03-08 02:30:00", "America/Chicago", "2020-03-08T08:30:00Z"},
		{"after the skipped hour", "2020-03-08 03:00:00", "America/Chicago", "2020-03-08T08:00:00Z"},
		{"leap day", "2020-02-29 00:00:00", "UTC", "2020-02-29T00:00:00Z"},

		{"no leap day", "2021-02-29 00:00:00", "UTC", ""},
		{"no month", "2021-13-01 00:00:00", "UTC", ""},
		{"no hour", "2021-12-01 24:00:00", "UTC", ""},
		{"no decimals", "2021-12-01 23:00:00.", "UTC", ""},
		{"date alone", "2021-12-01", "UTC", "2021-12-01T00:00:00Z"},
		{"date alone, in the zone", "2021-12-01", "Europe/Berlin", "2021-11-30T23:00:00Z"},
		{"a leap second", "2016-12-31T23:59:60Z", "UTC", "2017-01-01T00:00:00Z"},
		{"a leap second with a fraction and an offset", "2017-01-01 00:59:60.5+01:00", "UTC", "2017-01-01T00:00:00.5Z"},
		{"an offset of hours", "2024-03-31 01:00:00+00", "UTC", "2024-03-31T01:00:00Z"},
		{"an offset of hours, not none", "2024-03-31T01:00:00-05", "UTC", "2024-03-31T06:00:00Z"},
		{"an offset behind a space", "2024-03-31T01:00:00 +02:00", "UTC", "2024-03-30T23:00:00Z"},
		{"UTC in letters", "2024-03-31 01:00:00 UTC", "Europe/Berlin", "2024-03-31T01:00:00Z"},
		{"microseconds since 1970", "1711846800123456", "UTC", "2024-03-31T01:00:00.123456Z"},
		{"without seconds", "2024-03-31T01:00Z", "UTC", "2024-03-31T01:00:00Z"},
		{"without seconds or a zone", "2024-03-31 01:00", "Asia/Tokyo", "2024-03-30T16:00:00Z"},
		{"the basic form", "20240331T010000Z", "UTC", "2024-03-31T01:00:00Z"},
		{"a comma", "2024-03-31T01:00:00,5Z", "UTC", "2024-03-31T01:00:00.5Z"},
		{"a second too many", "2024-03-31T01:00:61Z", "UTC", ""},
		{"no day", "2023-02-29", "UTC", ""},
		{"seven digits more than any clock", "17118468001234567", "UTC", ""},
		{"offset too far", "2021-12-01T00:00:00+24:00", "UTC", ""},
		{"text behind", "2021-12-01T00:00:00Zulu", "UTC", ""},
		{"call id", "202004220000000000000000000001", "UTC", ""},
		{"date in digits", "20200422000000", "UTC", ""},
		{"negative", "-1587513600", "UTC", ""},
		{"decimals missing", "1587513600.", "UTC", ""},
		{"nothing", "", "UTC", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			at, err := ParseTime(test.in, zone(t, test.zone))
			got := ""
			if err == nil {
				got = at.UTC().Format(time.RFC3339Nano)
			}
			if got != test.want {
				t.Errorf("ParseTime(%q, %s) = %q, want %q", test.in, test.zone, got, test.want)
			}
		})
	}
}

func TestTimesComeBack(t *testing.T) {
	// Every half hour of a year, in zones whose clocks change: what is written is
	// read back as the same time, or as the earlier one of two.
	for _, name := range []string{"UTC", "America/Chicago", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata"} {
		z := zone(t, name)
		for at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2020; at = at.Add(30 * time.Minute) {
			text := FormatTime(at, ANSI, z)
			got, err := ParseTime(text, z)
			if err != nil || got.After(at) || at.Sub(got) > time.Hour || FormatTime(got, ANSI, z) != text {
				t.Fatalf("%s: %s was read back as %v, %v, want %v", name, text, got, err, at)
			}
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"", "0", "1587513600.5", "2020-04-22 00:00:00.0000", "2020-04-22T00:00:00+05:30", "9999-12-31T23:59:59Z"} {
		f.Add(seed)
	}
	chicago := zone(f, "America/Chicago")
	f.Fuzz(func(t *testing.T, s string) {
		at, err := ParseTime(s, chicago)
		if want, ok := time.Parse(time.RFC3339, s); ok == nil && err == nil && !at.Equal(want) {
			t.Errorf("ParseTime(%q) = %v, package time says %v", s, at, want)
		}
	})
}
