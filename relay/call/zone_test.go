package call

import (
	"testing"
	"time"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestTimesWithoutZone(t *testing.T) {
	for _, test := range []struct {
		name string
		zone string
		in   string
		want string
	}{
		{"ANSI", "Europe/Berlin", `"2020-04-22 00:00:00"`, `"2020-04-22T00:00:00+02:00"`},
		{"digits of the second stay", "Europe/Berlin", `"2020-01-22 00:00:00.0000"`, `"2020-01-22T00:00:00.0000+01:00"`},
		{"RFC 3339 without zone", "America/Chicago", `"2020-04-22T00:00:00.5"`, `"2020-04-22T00:00:00.5-05:00"`},
		{"UTC", "UTC", `"2020-04-22 00:00:00"`, `"2020-04-22T00:00:00Z"`},
		{"half an hour", "Asia/Kolkata", `"2020-04-22 00:00:00"`, `"2020-04-22T00:00:00+05:30"`},
		{"an hour that comes twice is the earlier", "Europe/Berlin", `"2020-10-25 02:30:00"`, `"2020-10-25T02:30:00+02:00"`},
		{"after it", "Europe/Berlin", `"2020-10-25 03:00:00"`, `"2020-10-25T03:00:00+01:00"`},
		{"before it", "Europe/Berlin", `"2020-10-25 01:59:59"`, `"2020-10-25T01:59:59+02:00"`},
		{"an hour that comes twice in the west", "America/Chicago", `"2020-11-01 01:30:00"`, `"2020-11-01T01:30:00-05:00"`},
		{"an hour that never comes", "Europe/Berlin", `"2020-03-29 02:30:00"`, `"2020-03-29T02:30:00+01:00"`},
		{"after the gap", "Europe/Berlin", `"2020-03-29 03:00:00"`, `"2020-03-29T03:00:00+02:00"`},

		{"a zone stays", "Europe/Berlin", `"2020-04-22T00:00:00Z"`, ""},
		{"an offset stays", "Europe/Berlin", `"2020-04-22 00:00:00+01:00"`, ""},
		{"a date stays", "Europe/Berlin", `"2020-04-22"`, ""},
		{"a number stays", "Europe/Berlin", `1587513600`, ""},
		{"no time stays", "Europe/Berlin", `"2020-13-22 00:00:00"`, ""},
		{"a bad fraction stays", "Europe/Berlin", `"2020-04-22 00:00:00."`, ""},
		{"a name of a zone stays", "Europe/Berlin", `"2020-04-22 00:00:00 CET"`, ""},
		{"null stays", "Europe/Berlin", `null`, ""},
		{"an offset with seconds cannot be written", "Africa/Monrovia", `"1960-01-01 00:00:00"`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want == "" {
				test.want = test.in
			}
			if got := zoned(test.in, location(t, test.zone)); got != test.want {
				t.Errorf("zoned(%s) = %s, want %s", test.in, got, test.want)
			}
		})
	}
}

func TestDecodeGivesKnownTimesTheirZone(t *testing.T) {
	in := `{"id":"i","event":"x","call_start":"2020-04-22 00:00:00","note":"2020-04-22 00:00:00"}`
	want := `{"id":"i","event":"x","call_start":"2020-04-22T00:00:00+02:00","note":"2020-04-22 00:00:00"}`
	if got := string(decode(t, in, Options{Zone: location(t, "Europe/Berlin")})[0].Body); got != want {
		t.Errorf("body:\n got %s\nwant %s", got, want)
	}
	want = `{"id":"i","event":"x","call_start":"2020-04-22T00:00:00Z","note":"2020-04-22 00:00:00"}`
	if got := string(decode(t, in, Options{})[0].Body); got != want {
		t.Errorf("body without a zone set:\n got %s\nwant %s", got, want)
	}
}
