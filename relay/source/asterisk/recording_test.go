package asterisk

import (
	"testing"

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
