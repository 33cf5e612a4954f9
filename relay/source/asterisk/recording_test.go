package asterisk

import (
	"testing"
	"time"

	"callrelay/relay/source"
)

func TestBelow(t *testing.T) {
	for _, test := range []struct{ from, name, want string }{
		{"/cs/rec", "/cs/rec/1.wav", "1.wav"},
		{"/cs/rec/", "/cs/rec/2026/1.wav", "2026/1.wav"},
		{"/cs/rec", "/cs/rec//./1.wav", "1.wav"},
		{"/", "/1.wav", "1.wav"},
		{"/cs/rec", "/cs/rec/../../etc/passwd", ""},
		{"/cs/rec", "/cs/recordings/1.wav", ""},
		{"/cs/rec", "/cs/rec", ""},
		{"/cs/rec", "1.wav", ""},
		{"/cs/rec", "", ""},
		{"", "/cs/rec/1.wav", ""},
	} {
		if got := source.Below(test.from, test.name); got != test.want {
			t.Errorf("%q below %q = %q, want %q", test.name, test.from, got, test.want)
		}
	}
}

// TestRecordings takes what MixMonitor was told: one mono file, a mixed file
// beside a pair of r() and t(), a channel each with D.
func TestRecordings(t *testing.T) {
	for _, test := range []struct{ transcript, want, perspective string }{
		{"single", ".wav", ""},
		{"rt", "_mix.wav", ""},
		{"stereo", "_stereo.raw", "_stereo.raw"},
	} {
		for _, o := range play(t, testMachine(), transcript(t, test.transcript)) {
			if o.Name != "agent_termination" {
				continue
			}
			e := decode(t, o)
			leg := e["uii"].(string) + "_" + e["segment_id"].(string)
			if e["recording"] != leg+test.want {
				t.Errorf("%s: recording %v, want %s", test.transcript, e["recording"], leg+test.want)
			}
			if got, _ := e["agent_perspective_recording"].(string); test.perspective != "" && got != leg+test.perspective || test.perspective == "" && got != "" {
				t.Errorf("%s: perspective %q, want %q", test.transcript, got, test.perspective)
			}
		}
	}
}

func TestRecordingElsewhere(t *testing.T) {
	m := newMachine("pbx1", nil, nil, "/srv/rec")
	for _, o := range play(t, m, transcript(t, "single")) {
		if r, ok := decode(t, o)["recording"]; ok {
			t.Errorf("recording %v of a file that the relay cannot serve", r)
		}
	}
	if missed(m) != 1 {
		t.Errorf("%d events missed, want the file counted", missed(m))
	}
}

func TestHasFlag(t *testing.T) {
	for _, test := range []struct {
		options string
		want    bool
	}{
		{"bD", true}, {"b", false}, {"br(/D/x.wav)t(/D/y.wav)", false}, {"r(/x)D", true}, {"", false},
	} {
		if got := hasFlag(test.options, 'D'); got != test.want {
			t.Errorf("hasFlag(%q) = %v, want %v", test.options, got, test.want)
		}
	}
}

// A place in a file is how much was recorded by then: nothing once it has
// stopped, and with b nothing while its leg is in no bridge.
func TestPosition(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	l := &leg{Bridged: []span{{at(10), at(20)}, {From: at(30)}}}
	for _, test := range []struct {
		file      file
		at, wants int
	}{
		{file{Start: at(5)}, 15, 10},
		{file{Start: at(5)}, 3, 0},
		{file{Start: at(5), Stop: at(12)}, 15, 7},
		{file{Start: at(5), Bridged: true}, 15, 5},
		{file{Start: at(5), Bridged: true}, 25, 10},
		{file{Start: at(5), Bridged: true}, 35, 15},
		{file{Start: at(5), Bridged: true, Stop: at(32)}, 35, 12},
		{file{Start: at(15), Bridged: true}, 35, 10},
	} {
		if got := l.position(&test.file, at(test.at)); got != time.Duration(test.wants)*time.Second {
			t.Errorf("%+v at %d: %s, want %d s", test.file, test.at, got, test.wants)
		}
	}
}
