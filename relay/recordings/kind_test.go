package recordings

import (
	"fmt"
	"strings"
	"testing"
)

// TestKindsAreLookedForInOrder holds the formats that a recording may have become,
// in the order in which it is looked for.
func TestKindsAreLookedForInOrder(t *testing.T) {
	const want = "[{.wav audio/wav} {.WAV audio/wav} {.wave audio/wav} {.mp3 audio/mpeg} {.MP3 audio/mpeg} {.ogg audio/ogg} " +
		"{.opus audio/ogg} {.oga audio/ogg} {.flac audio/flac} {.m4a audio/mp4} {.mp4 audio/mp4} {.aac audio/aac} " +
		"{.amr audio/amr} {.webm audio/webm} {.gsm audio/gsm} {.au audio/basic}]"
	if got := fmt.Sprint(kinds); got != want {
		t.Errorf("kinds are %s", got)
	}
}

// TestANameThatSaysNothingIsWhatItBeginsAs has the first bytes of each format.
func TestANameThatSaysNothingIsWhatItBeginsAs(t *testing.T) {
	for head, want := range map[string]string{
		"ID3\x04": "audio/mpeg", "\xff\xfb\x90": "audio/mpeg", "\xff\xfa\x90": "audio/mpeg", "\xff\xf3\x40": "audio/mpeg",
		"\xff\xf2\x40": "audio/mpeg", "OggS": "audio/ogg", "fLaC": "audio/flac", "\x00\x00\x00\x20ftypM4A ": "audio/mp4",
		"#!AMR\n": "audio/amr", ".snd": "audio/basic", "RIFF\x24\x00\x00\x00WAVEfmt ": waveType, "<html>": unknownType, "": unknownType,
	} {
		if got := kindOf("recording", strings.NewReader(head)); got != want {
			t.Errorf("%q is %s, want %s", head, got, want)
		}
	}
}
