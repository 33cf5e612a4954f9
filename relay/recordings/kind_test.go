package recordings

import (
	"fmt"
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
